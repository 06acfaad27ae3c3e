"""
The operator's `coral-gate` command: a module a verb, each imported only when it is used.

`verbs` is the table of verbs and says what a verb's module gives; `exits` says what the command's exit codes mean.
"""
