/* cli/signals.c - see signals.h. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;
static volatile bool         cancelled;

const volatile bool *const signals_cancel = &cancelled;

static void remember(int number)
{
    caught    = number;
    cancelled = true;
}

void signals_catch(void)
{
    struct sigaction once = {.sa_handler = remember, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &once, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
}

int signals_caught(void)
{
    return (int)caught;
}
