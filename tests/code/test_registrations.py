"""Code digests: what registers itself on import with something that an op reaches."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mlrecipe.code import registrations, stamps
from mlrecipe.code.closure import CodeDigest, code_digest


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))


def digest(folder: Path) -> CodeDigest:
    return code_digest(folder / "ops.py", "run", roots=[folder])


def edited(folder: Path, old: str, new: str) -> CodeDigest:
    """The digest after the one file that has `old` got `new` there."""
    [path] = [p for p in folder.rglob("*.py") if old in p.read_text()]
    path.write_text(path.read_text().replace(old, new))
    return digest(folder)


RUN = """
import mlrecipe

@mlrecipe.op("run")
def run(*, k: int = 1):
    return {}
"""

HERE = {
    "decorator into a dict": """
        T = {}
        def reg(f):
            T[f.__name__] = f
            return f
        @reg
        def foo(): return "OLD"
        use = T["foo"]
        """,
    "singledispatch by annotation": """
        import functools
        @functools.singledispatch
        def use(x): return 1
        @use.register
        def _(x: int): return "OLD"
        """,
    "singledispatch by type": """
        import functools
        @functools.singledispatch
        def use(x): return 1
        @use.register(str)
        def _text(x): return "OLD"
        """,
    "singledispatch of a bound name": """
        import functools
        def plain(x): return 1
        use = functools.singledispatch(plain)
        @use.register
        def _(x: int): return "OLD"
        """,
    "object that is called": """
        class Registry:
            def __init__(self): self.items = []
            def __call__(self, f):
                self.items.append(f)
                return f
        use = Registry()
        @use
        def upper(t): return "OLD"
        """,
    "method that gives the decorator": """
        class Registry:
            def __init__(self): self.d = {}
            def add(self, name):
                def deco(f):
                    self.d[name] = f
                    return f
                return deco
        use = Registry()
        @use.add("n")
        def hidden(): return "OLD"
        """,
    "decorator with arguments": """
        use = {}
        def reg(name):
            def deco(f):
                use[name] = f
                return f
            return deco
        @reg("a")
        def hidden(): return "OLD"
        """,
    "decorator through another function": """
        use = []
        def _put(f): use.append(f)
        def reg(f):
            _put(f)
            return f
        @reg
        def hidden(): return "OLD"
        """,
    "call of the decorator": """
        use = []
        def reg(n): return use.append
        def hidden(): return "OLD"
        reg("x")(hidden)
        """,
    "assigned registration": """
        use = []
        def reg(f):
            use.append(f)
            return f
        def hidden(): return "OLD"
        kept = reg(hidden)
        """,
    "decorator that is a lambda": """
        use = []
        reg = lambda f: use.append(f) or f
        @reg
        def hidden(): return "OLD"
        """,
    "setup function": """
        use = {}
        def _setup(): use["k"] = "OLD"
        _setup()
        """,
    "setup run by its decorator": """
        use = {}
        def now(f):
            f()
            return f
        @now
        def _setup(): use["k"] = "OLD"
        """,
    "setup through another function": """
        use = {}
        def _fill(): use["k"] = "OLD"
        def _setup(): _fill()
        if True:
            _setup()
        """,
    "setup by setattr": """
        class use: pass
        def _setup(): setattr(use, "z", "OLD")
        _setup()
        """,
    "global": """
        use = None
        def _set():
            global use
            use = "OLD"
        _set()
        """,
    "global without another definition": """
        def _set():
            global use
            use = "OLD"
        _set()
        """,
    "subclasses": """
        class Base: v = 0
        class Kid(Base): v = "OLD"
        def use(): return [c.v for c in Base.__subclasses__()]
        """,
    "subclasses of subclasses": """
        class Base: v = 0
        class Kid(Base): v = 1
        class Grand(Kid): v = "OLD"
        def use(): return [c.v for k in Base.__subclasses__() for c in k.__subclasses__()]
        """,
    "init_subclass into the class": """
        class use:
            subs = {}
            def __init_subclass__(cls): use.subs[cls.__name__] = cls
        class Kid(use):
            def go(self): return "OLD"
        """,
    "init_subclass into a table": """
        use = {}
        class Base:
            def __init_subclass__(cls): use[cls.__name__] = cls
        class Kid(Base):
            def go(self): return "OLD"
        """,
    "metaclass": """
        use = {}
        class Meta(type):
            def __init__(cls, name, bases, body): use[name] = cls
        class Base(metaclass=Meta): ...
        class Kid(Base):
            def go(self): return "OLD"
        """,
    "class decorator": """
        use = []
        def reg(c):
            use.append(c)
            return c
        @reg
        class Hidden:
            def go(self): return "OLD"
        """,
    "classmethod": """
        class use:
            items = []
            @classmethod
            def add(cls, f):
                cls.items.append(f)
                return f
        @use.add
        def hidden(): return "OLD"
        """,
    "method in a class body": """
        use = []
        def reg(f):
            use.append(f)
            return f
        class Holder:
            @reg
            def hidden(self): return "OLD"
        """,
    "computed names": """
        use = []
        def reg(f):
            exec("use.append(f)")
            return f
        @reg
        def hidden(): return "OLD"
        """,
}  # fmt: skip


@pytest.mark.parametrize("text", HERE.values(), ids=HERE)
def test_store_03_what_registers_itself_counts(tmp_path, text):
    """Decorators, calls at module level and subclasses that change what the op reads."""
    write(tmp_path, {"ops.py": dedent(text) + RUN.format("use")})
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest != before.digest


ELSEWHERE = {
    "name": "from .core import REG, add\n@add\ndef hidden(): return 'OLD'\n",
    "module": "from . import core\n@core.add\ndef hidden(): return 'OLD'\n",
    "store": "from . import core\ncore.REG['x'] = 'OLD'\n",
    "method": "from . import core as c\nc.REG.update(x='OLD')\n",
    "handed": "from .core import REG\ndef fill(r): r['x'] = 'OLD'\nfill(REG)\n",
    "inside": "def fill():\n    from .core import REG\n    REG['x'] = 'OLD'\nfill()\n",
    "renamed": "from .core import REG as R\nR |= {'x': 'OLD'}\n",
    "package": "from .shelf import REG\ndef fill(): REG['x'] = 'OLD'\nfill()\n",
    "subclass": "from .core import Base\nclass Kid(Base):\n    v = 'OLD'\n",
}
CORE = """
REG = {}
def add(f):
    REG[f.__name__] = f
    return f
class Base:
    def __init_subclass__(cls): REG[cls.__name__] = cls
"""


@pytest.mark.parametrize("rules", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize(
    "imported", ["from . import rules", "from . import between", "import rules"]
)
def test_store_03_a_module_imported_for_its_effect_counts(tmp_path, rules, imported):
    """Registration in another module, that the op's module imports itself or through others."""
    ops = f"{imported}\nfrom .core import REG\n" + RUN.format("REG['x']")
    write(tmp_path, {"ops.py": ops, "core.py": CORE, "rules.py": rules})
    write(
        tmp_path,
        {"between.py": "from . import rules", "shelf/__init__.py": "from ..core import REG"},
    )
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest != before.digest


def test_modules_found_and_imported_by_a_package_count(tmp_path):
    """The idiom of packages of rules: each module that lies there is imported."""
    init = """
        import importlib, pkgutil
        for found in pkgutil.iter_modules(__path__):
            importlib.import_module(f".{found.name}", __package__)
        """
    rule = "from ..core import add\n@add\ndef hidden(): return 'OLD'\n"
    ops = "from . import rules\nfrom .core import REG\n" + RUN.format("REG['x']")
    files = {"ops.py": ops, "core.py": CORE, "rules/__init__.py": init, "rules/one.py": rule}
    write(tmp_path, files)
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest != before.digest


PLAIN = """
    import functools, logging, re
    LOG = logging.getLogger(__name__)
    NAMES = ["a", "b"]
    TABLE = {"a": 1}
    LIMIT = 3
    WORDS = re.compile("a+")
    def timed(f):
        @functools.wraps(f)
        def wrapper(*args):
            LOG.info("called")
            TABLE["calls"] = 1
            return f(*args)
        return wrapper
    class Conf:
        def __init__(self, x): self.x = x
    @timed
    def other(t): return "OLD"
    @functools.cache
    def cached(t): return "OLD"
    @timed
    class Thing:
        v = "OLD"
    OTHER = Conf("OLD")
    FIRST = [name + "OLD" for name in NAMES]
    FOUND = {"OLD": TABLE.get("a"), "n": len(TABLE), "w": WORDS.findall("OLD")}
    class Kid(Conf):
        v = "OLD"
    @timed
    def helper(t): return LIMIT
    """


def test_store_04_what_registers_nothing_that_is_reached_does_not_count(tmp_path):
    """A plain wrapper, an object, a subclass or a value made of what the op uses."""
    uses = "LOG, NAMES, TABLE, WORDS, Conf, LIMIT, timed, helper(k)"
    write(tmp_path, {"ops.py": dedent(PLAIN) + RUN.format(uses)})
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest == before.digest
    assert before.whole == {}


def test_store_04_other_ops_of_the_file_do_not_count(tmp_path):
    """The decorators of mlrecipe register with mlrecipe, not with other ops."""
    other = '@mlrecipe.op("other")\ndef other(*, k: int = 1):\n    return "OLD"\n'
    write(tmp_path, {"ops.py": RUN.format("1") + other})
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest == before.digest


def test_store_04_a_registration_elsewhere_that_is_not_reached_does_not_count(tmp_path):
    """A table that the op does not read."""
    rules = "from .core import add\n@add\ndef hidden(): return 'OLD'\n"
    ops = "from . import rules\n" + RUN.format("1")
    write(tmp_path, {"ops.py": ops, "core.py": CORE, "rules.py": rules})
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest == before.digest


def test_what_registers_by_computed_names_is_told(tmp_path):
    """All of the module counts, and the note says that what lies beyond it does not."""
    write(tmp_path, {"ops.py": dedent(HERE["computed names"]) + RUN.format("use")})

    assert "beyond" in digest(tmp_path).whole["ops.py"]


IMPORTS = {
    "getattr of a package": ("from . import pkg", 'getattr(pkg, "m7").DYN'),
    "getattr of a package by a variable": ("from . import pkg", "getattr(pkg, k).DYN"),
    "attribute of a package": ("from . import pkg", "pkg.m7.DYN"),
    "constant": ("import importlib", 'importlib.import_module(".pkg.m7", __package__).DYN'),
    "keyword": ("import importlib", 'importlib.import_module(name=".pkg.m7", package=__package__)'),
    "renamed": ("from importlib import import_module as im", 'im(__package__ + ".pkg.m7").DYN'),
    "named by a constant": ("import importlib\nN = 'pkg.m7'", "importlib.import_module(N).DYN"),
    "f-string": ("import importlib", 'importlib.import_module(f".pkg.{k}", __package__).DYN'),
    "f-string of the package": (
        "import importlib as i",
        'i.import_module(f"{__package__}.pkg.{k}")',
    ),
    "computed": ("import importlib", "importlib.import_module(k).DYN"),
    "relative to anything": ("import importlib", 'importlib.import_module(".m7", k).DYN'),
    "__import__": ("", '__import__("pkg.m7").DYN'),
    "__import__ of a level": ("", '__import__("m7", None, None, (), k).DYN'),
}


@pytest.mark.parametrize(("head", "use"), IMPORTS.values(), ids=IMPORTS)
def test_modules_imported_by_a_text_count(tmp_path, head, use):
    """Names written out are followed; of others every module of the project that may be meant counts."""
    write(
        tmp_path,
        {"ops.py": head + RUN.format(use), "pkg/m7.py": "DYN = 'OLD'", "pkg/__init__.py": ""},
    )
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest != before.digest


def test_import_module_under_another_name_inside_the_op(tmp_path):
    """The import stands in the op."""
    text = RUN.format('im(__package__ + ".pkg.m7").DYN').replace(
        "    return", "    from importlib import import_module as im\n    return"
    )
    write(tmp_path, {"ops.py": text, "pkg/m7.py": "DYN = 'OLD'", "pkg/__init__.py": ""})
    before = digest(tmp_path)

    assert edited(tmp_path, "OLD", "NEW").digest != before.digest
    assert before.whole == {}


def test_a_computed_import_says_what_does_not_count(tmp_path):
    """The note names the folder whose modules count: others do not."""
    use = 'importlib.import_module(f".pkg.{k}", __package__).DYN'
    files = {"ops.py": "import importlib" + RUN.format(use), "pkg/m7.py": "DYN = 1"}
    write(tmp_path, {**files, "other.py": "X = 'OLD'"})
    found = digest(tmp_path)

    assert found.whole == {
        "ops.py": "line 6: what an import by a computed name takes from outside pkg/"
    }
    assert edited(tmp_path, "OLD", "NEW").digest == found.digest


class Memo(dict):
    """Texts in memory."""

    set = dict.__setitem__


@pytest.mark.parametrize("new", ["rules.py", "pkg/m8.py"])
def test_a_remembered_digest_sees_effects_and_new_modules(tmp_path, monkeypatch, new):
    """A module imported for its effect is edited, or one comes to a folder that counts."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    ops = "import importlib\nfrom . import rules\nT = {}\n"
    ops += RUN.format('T, importlib.import_module(f".pkg.{k}", __package__)')
    write(tmp_path, {"ops.py": ops, "rules.py": "X = 1", "pkg/m7.py": "DYN = 1"})
    memo = Memo()
    path = tmp_path / "ops.py"
    before = code_digest(path, "run", roots=[tmp_path], memo=memo)
    assert memo

    write(tmp_path, {new: "from . import ops\nops.T['x'] = 1"})

    assert code_digest(path, "run", roots=[tmp_path], memo=memo).digest != before.digest


def test_a_module_that_comes_to_be_is_seen(tmp_path):
    """What could not be imported a moment ago can be now; nothing else changed."""
    ops = "try:\n    from .fast import table\nexcept ImportError:\n    table = None\n"
    write(tmp_path, {"ops.py": ops + RUN.format("table")})
    before = digest(tmp_path)

    write(tmp_path, {"fast.py": "table = {}"})

    assert digest(tmp_path).digest != before.digest


def test_the_order_in_which_ops_are_looked_at_does_not_count(tmp_path):
    """Ops of a plan share what has been read: each gets the digest that it gets alone."""
    rules = "from .core import add\n@add\ndef hidden(): return 1\nadd('x')(hidden)\n"
    ops = "from . import rules\nfrom .core import REG\n" + RUN.format("REG['x']")
    ops += "def other(): return 1\n"
    write(tmp_path, {"ops.py": ops, "core.py": CORE, "rules.py": rules})

    def found(*names: str) -> dict[str, CodeDigest]:
        registrations._KEPT.clear()
        return {n: code_digest(tmp_path / "ops.py", n, roots=[tmp_path]) for n in names}

    alone = found("run") | found("other")

    assert found("run", "other") == found("other", "run") == alone
