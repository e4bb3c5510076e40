/* cli/main.c - the nemesis program. */
#include "commands.h"

#include <fcntl.h>
#include <unistd.h>

// A descriptor 0 to 2 that was closed would be given to the next file opened, and a message for the
// terminal would land in a result.
static void keep_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(ERROR_IO);
}

int main(int count, char **arguments)
{
    keep_standard_descriptors();
    return nemesis_run(count, (const char *const *)arguments);
}
