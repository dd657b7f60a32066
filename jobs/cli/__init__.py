"""The `stcn` command. Each command builds one config and calls one function."""
