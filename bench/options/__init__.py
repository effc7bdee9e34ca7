"""What a user may ask for, declared once: the command's options, the library's signatures, defaults, checks and help.

A group of options is a frozen class, an option one line in it and its docstring the help text:

    epochs: int | None = option(default=None, check=between(1, 10_000, example=5))
    \"\"\"Epochs of training.\"\"\"

Functions take the fields of their class by ``from_options``, commands by ``bench.cli.from_options``. Nothing here
imports torch or pydantic: ``bench --help`` waits for it.
"""
