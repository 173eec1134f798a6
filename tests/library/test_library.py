# SPDX-License-Identifier: GPL-2.0-or-later
"""libholdfast as others get it: what it exports, its headers, and programs built on its installation."""
import ctypes
import errno
import json
import os
import pathlib
import socket
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
HOLDFAST = os.environ.get("HOLDFAST", str(SOURCE / "build" / "holdfast"))
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", os.path.dirname(HOLDFAST)))
SHARED, STATIC = BUILD / "src" / "libholdfast.so", BUILD / "src" / "libholdfast.a"
HEADERS = sorted(path.name for path in (SOURCE / "include" / "holdfast").glob("*.h"))
EXAMPLES = sorted((SOURCE / "examples").glob("*.c"))
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-fsyntax-only"]

# A program of C++ that calls what is a function and what is data.
CPLUSPLUS = """
int main()
{
	hf_goals goals = { 60000, 0 };
	hf_settings settings;

	if (hf_settings_derive(&goals, nullptr, 0, &settings) != HF_DERIVED)
		return 1;
	return hf_prefix_any.port_last == 65535 && hf_socket_get(-1, &settings) == -EBADF ? 0 : 2;
}
"""


def check(*argv, **options):
    """Run a command that has to succeed; its stdout."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120,
                          **options)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def declared():
    """Every function and object that the public headers declare, as the compiler sees them."""
    text = "".join(f"#include <holdfast/{name}>\n" for name in HEADERS)
    tree = json.loads(check("clang", "-std=c11", f"-I{SOURCE}/include", "-x", "c", "-fsyntax-only",
                            "-Xclang", "-ast-dump=json", "-", input=text))
    return {node["name"] for node in tree["inner"]
            if node["kind"] in ("FunctionDecl", "VarDecl") and node.get("storageClass") != "static"
            and not node["name"].startswith("__")}


def exported():
    """{symbol: version} of the shared library."""
    words = [line.split()[-1] for line in check("nm", "-D", "--defined-only", SHARED).splitlines()]
    return dict(word.split("@@") for word in words if not word.startswith("HOLDFAST_"))


def test_exactly_what_the_headers_declare_is_exported():
    assert set(exported()) == declared()


def test_every_symbol_has_a_version():
    assert {version for version in exported().values()} == {"HOLDFAST_0.1"}


def test_the_static_library_takes_no_names_but_its_own():
    lines = check("nm", "--defined-only", "--extern-only", STATIC).splitlines()
    names = {line.split()[2] for line in lines if len(line.split()) == 3}
    assert names >= declared()
    assert all(name.startswith("hf_") for name in names), names


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("compiler", ["gcc -std=c11 -x c", "clang -std=c11 -x c",
                                      "g++ -std=c++17 -x c++", "clang++ -std=c++17 -x c++"])
def test_each_header_compiles_alone(compiler, header):
    check(*compiler.split(), *STRICT, f"-I{SOURCE}/include", "-",
          input=f"#include <holdfast/{header}>\n" * 2 + "extern int more;\n")


def test_a_raw_socket_of_tcp_is_refused():
    library = ctypes.CDLL(str(SHARED))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        assert library.hf_socket_get(raw.fileno(), ctypes.create_string_buffer(64)) == \
            -errno.EPROTONOSUPPORT


class Installation:
    """A DESTDIR with what `meson install` put there."""

    def __init__(self, root):
        self.root = root
        check("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        self.pc = next(root.rglob("libholdfast.pc"))
        self.env = {**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent),
                    "PKG_CONFIG_SYSROOT_DIR": str(root),
                    "LD_LIBRARY_PATH": str(self.pc.parent.parent)}

    def flags(self, *options):
        return check("pkg-config", *options, "libholdfast", env=self.env).split()

    def build(self, source, *options, compiler=("cc", "-std=gnu17"), pkg_config=()):
        program = self.root / f"{source.stem}-program"
        check(*compiler, "-Wall", "-Wextra", "-Werror", source, "-o", program, *options,
              *self.flags("--cflags", "--libs", *pkg_config))
        return program

    def needed(self, program):
        return [line.split("[")[1][:-1] for line in check("readelf", "-d", program).splitlines()
                if "(NEEDED)" in line]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("installed"))


def run_client(program, env):
    """Its output, while a server says hello and goes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen([program, "127.0.0.1", str(port), "30"], env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            with server.accept()[0] as peer:
                peer.sendall(b"hello\n")
            out, err = client.communicate(timeout=10)
    assert client.returncode == 0 and not err
    return out.splitlines()


def test_the_headers_and_both_libraries_are_installed(installed):
    headers = next(installed.root.rglob("include/holdfast"))
    assert sorted(path.name for path in headers.iterdir()) == HEADERS
    libraries = {path.name for path in installed.pc.parent.parent.glob("libholdfast.*")}
    assert {"libholdfast.a", "libholdfast.so", "libholdfast.so.0"} < libraries
    assert "[libholdfast.so.0]" in check("readelf", "-d", SHARED)
    assert list(installed.root.rglob("man3/holdfast.3"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_builds_on_the_installed_library(installed, example):
    assert "libholdfast.so.0" in installed.needed(installed.build(example))


def test_the_client_protects_its_socket(installed):
    program = installed.build(SOURCE / "examples" / "client.c")
    protected, hello = run_client(program, installed.env)
    assert protected.startswith("protected: a dead server is found within ")
    assert float(protected.split(" within ")[1].split()[0]) <= 30
    assert hello == "hello"


def test_a_static_program_needs_no_library(installed):
    # glibc warns that names are looked up by shared libraries all the same: no error here.
    program = installed.build(SOURCE / "examples" / "client.c", "-static", pkg_config=["--static"],
                              compiler=("cc", "-std=gnu17", "-Wl,--no-fatal-warnings"))
    assert installed.needed(program) == []
    assert run_client(program, os.environ)[0].startswith("protected: ")


def test_a_program_of_cplusplus_links_with_the_library(installed, tmp_path):
    source = tmp_path / "plusplus.cpp"
    source.write_text("#include <cerrno>\n" +
                      "".join(f"#include <holdfast/{name}>\n" for name in HEADERS) + CPLUSPLUS)
    check(installed.build(source, compiler=("g++", "-std=c++17")), env=installed.env)
