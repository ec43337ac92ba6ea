"""The console command: a table of sub-commands and the supervisor that runs all processes on one machine."""
