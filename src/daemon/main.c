/* daemon/main.c: `orlopd`: reads the settings and serves, or runs an offline tool. Exit codes: 0 clean end, 1 failed, 2 usage, 3 an end
 * that was not waited for (ending.h). */
#include <string.h>

#include "daemon/serve.h"
#include "orlop_version.h"

static int complain(struct err *e)
{
        char text[2048];
        int code = e->code == ERR_INVALID ? 2 : 1;
        fprintf(stderr, "orlopd: %s\n", err_text(e, text, sizeof(text)));
        err_free(e);
        return code;
}

int main(int argc, char **argv)
{
        if (argc > 1 && strcmp(argv[1], "fsck") == 0)
                return fsck_command(argc - 1, argv + 1);
        if (argc > 1 && strcmp(argv[1], "control") == 0)
                return control_command(argc - 1, argv + 1);
        struct settings s = { 0 };
        int code = 0;
        struct err *e = settings_read(&s, argc, argv);
        if (e == NULL && s.help)
                settings_usage(stdout);
        else if (e == NULL && s.version)
                puts("orlopd " ORLOP_VERSION);
        else if (e == NULL)
                e = serve(&s);
        if (e != NULL)
                code = complain(e);
        settings_fini(&s);
        return code;
}
