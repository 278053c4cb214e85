"""Every command, by noun: fields, who may submit it, path and handler in one class."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)  # its commands register when they are defined
