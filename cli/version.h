/* cli/version.h - the release this is, as run.json and `nemesis version` tell it. */
#ifndef CLI_VERSION_H
#define CLI_VERSION_H

#define NEMESIS_VERSION "0.1.0"

#endif
