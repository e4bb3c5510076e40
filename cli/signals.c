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
    static const int asking[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};
    struct sigaction once     = {.sa_handler = remember, .sa_flags = SA_RESETHAND | SA_RESTART};
    struct sigaction ignore   = {.sa_handler = SIG_IGN}, before;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        if (sigaction(asking[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(asking[i], &once,
                      NULL); // what the caller has us ignore, as nohup does, stays so
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

int signals_caught(void)
{
    return (int)caught;
}
