/* cli/cli.h: the `orlop` command as a function. One thread calls it once; workers are its own. Blocks until the command is done. */
#ifndef ORLOP_CLI_CLI_H
#define ORLOP_CLI_CLI_H

/* Runs one command line; returns the exit code: 0 ok, 1 failed, 2 usage, 3 not found, 4 partly failed, 5 no connection, 130 interrupted. */
int cli_main(int argc, char **argv);

#endif
