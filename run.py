"""明账 mingzhang：一条命令。One command for everything.

python3 run.py              准备环境，启动演示县的服务   set up, serve the demo county
python3 run.py test [...]   准备环境，运行测试           set up, run the tests (the rest: pytest)
python3 run.py check        格式、规范、类型、分层、测试 format, lint, types, layers, tests
python3 run.py bench [...]  测量，见 benchmarks/README   measure, see benchmarks/README
python3 run.py WORD [...]   其他命令，如 trace P-1       any other word goes to interface.cli

All is kept in .venv; wheels in wheelhouse/ serve without a network; paths start in this folder.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if os.name == "nt":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
SERVICE, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
OLDEST, NEWEST = (3, 11), (3, 14)
CHECKS = (
    "ruff format --check .",
    "ruff check .",
    "mypy",
    "lint-imports",
    "pytest -n 2 --dist loadfile --no-loadscope-reorder",
)
TWO_AT_ONCE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # a server for each
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as main; main()"


def main(words):
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(__doc__)
        return 0
    if not OLDEST <= sys.version_info[:2] <= NEWEST or sys.implementation.name != "cpython":
        return run([another_python(), str(ROOT / "run.py"), *words])
    os.chdir(ROOT)
    command = words[0] if words else ""
    prepare(DEVELOPMENT if command in ("test", "check") else SERVICE)
    if command == "check":
        return check()
    if command == "test":
        return run([str(PYTHON), "-m", "pytest", *(words[1:] or TWO_AT_ONCE)])
    if command == "bench":
        return run([str(PYTHON), "-m", "benchmarks", *words[1:]])
    return run([str(PYTHON), "-m", "interface.cli", *(words or ["serve", "--demo"])])


def run(command):
    """Become the command, so that signals reach it; Windows has no exec and must wait instead."""
    sys.stdout.flush()
    if not WINDOWS:
        os.execve(command[0], command, environment())  # noqa: S606
    return subprocess.call(command, env=environment())


def check():
    failed = []
    for line in CHECKS:
        print("——", line, flush=True)
        words = ["-c", LINT_IMPORTS] if line == "lint-imports" else ["-m", *line.split()]
        if subprocess.call([str(PYTHON), *words], env=environment()):
            failed.append(line)
    print("未通过 / failed: " + ", ".join(failed) if failed else "全部通过 / all checks passed")
    return 1 if failed else 0


def environment():
    """The caller's environment, without what would put other people's modules before ours."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "PYTHONUTF8": "1"}


def another_python():
    """A supported interpreter, when this one is not."""
    for name in ("python3.12", "python3.13", "python3.11", "python3.14"):
        path = shutil.which(name)
        question = "import sys;print(sys.implementation.name,*sys.version_info[:2])"
        answer = output_of([path, "-c", question]).split() if path else []
        if answer and answer[0] == "cpython" and OLDEST <= tuple(map(int, answer[1:])) <= NEWEST:
            return path
    return stop(
        "需要 CPython 3.11 至 3.14，当前是 " + sys.version.split()[0] + "，也没有找到其他版本。",
        "CPython 3.11 to 3.14 is needed; this is another, and none was found on the PATH.",
    )


def output_of(command):
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode()
    except (OSError, subprocess.CalledProcessError):
        return ""


def prepare(lock_name):
    """Make .venv hold what the lock says; a stamp makes the second time instant."""
    previous = os.umask(0o022)  # the embedded database may have to read these files as another user
    try:
        if is_ready(lock_name):
            return
        VENV.mkdir(exist_ok=True)
        with (VENV / ".lock").open("a") as handle:
            if not take(handle):
                say("另一个命令正在准备环境，等待……", "Another command is setting up; waiting …")
                while not take(handle):
                    time.sleep(0.2)
            if not is_ready(lock_name):
                build(lock_name)
    except PermissionError as error:
        stop("没有权限：%s。请用此目录的主人运行。" % error.filename, "Run as this folder's owner.")  # noqa: UP031
    finally:
        os.umask(previous)


def is_ready(lock_name):
    """Whether this lock's stamp is there; installing the development set stamps both."""
    file = VENV / (".stamp-" + lock_name)
    return file.is_file() and file.read_text() == stamp(lock_name) != ""


def stamp(lock_name):
    version = output_of([str(PYTHON), "-I", "-S", "-c", "import sys;print(sys.version_info[:2])"])
    text = (ROOT / lock_name).read_bytes() + version.encode()
    return hashlib.sha256(text).hexdigest() if version else ""


def take(handle):
    """The set-up lock, at once or not at all; the system frees it even if its holder is killed."""
    try:
        if WINDOWS:
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def build(lock_name):
    say("首次准备（约半分钟）……", "Setting up, about half a minute …")
    base = getattr(sys, "_base_executable", None) or sys.executable
    inside = output_of([str(PYTHON), "-I", "-c", "import sys;print(sys.version_info[1])"]).strip()
    if inside not in map(str, range(OLDEST[1], NEWEST[1] + 1)):
        for stale in [*VENV.glob("[!.]*"), *VENV.glob(".stamp-*")]:
            stale.unlink() if stale.is_symlink() or stale.is_file() else shutil.rmtree(stale)
        if subprocess.call([base, "-m", "venv", "--without-pip", str(VENV)], env=environment()):
            stop(
                "无法建立虚拟环境，见上。apt install python3-venv",
                "No venv could be made, see above.",
            )
    command, extra = pip_of(base)
    command += ["install", "-qq", "--no-input", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--disable-pip-version-check", "-r", lock_name]
    if Path("wheelhouse").is_dir():
        command += ["--no-index", "--find-links", "wheelhouse"]
    if subprocess.call(command, env={**environment(), **extra}):
        stop(
            "依赖安装失败：请检查网络与 pip 镜像设置；离线时把 wheel 文件放入 wheelhouse/。\n"
            "需要 64 位的 Linux（glibc）、macOS 或 Windows。",
            "Installing failed: check the network and pip's mirror setting; without a network put\n"
            "the wheels into wheelhouse/. A 64-bit Linux (glibc), macOS or Windows is needed.",
        )
    for name in {SERVICE, lock_name}:
        (VENV / (".stamp-" + name)).write_text(stamp(name))


def pip_of(base):
    """A pip that fills .venv: the one inside Python or Debian's, run from its wheel, or any other.

    No pip is installed into .venv: that saves seconds, and works where Debian left ensurepip out.
    """
    bundled = "import ensurepip as e, pathlib; print(pathlib.Path(e.__file__).parent / '_bundled')"
    folders = [output_of([base, "-c", bundled]).strip(), "/usr/share/python-wheels", "wheelhouse"]
    for folder in filter(None, folders):
        for wheel in Path(folder).glob("pip-*.whl"):
            return [str(PYTHON), "-m", "pip"], {"PYTHONPATH": str(wheel.resolve())}
    for python in filter(None, [base, shutil.which("python3"), shutil.which("python3.12")]):
        if output_of([python, "-m", "pip", "--python", str(PYTHON), "--version"]):
            return [python, "-m", "pip", "--python", str(PYTHON)], {}
    return stop(
        "没有找到 pip。Debian/Ubuntu：apt install python3-venv；其他系统请安装 python3-pip。",
        "No pip was found. Debian/Ubuntu: apt install python3-venv; elsewhere install python3-pip.",
    )


def say(chinese, english):
    print(chinese + "\n" + english, file=sys.stderr, flush=True)


def stop(chinese, english):
    say("\n" + chinese, english)
    raise SystemExit(1)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
