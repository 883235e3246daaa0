#!/bin/sh
# Tests the library as it is installed, from C and C++, with gcc and clang.
# "make test" runs it in a folder of the build, with PREFIX set.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$(pwd)
prefix=$PREFIX
GO=${GO:-go}
strict="-Wall -Wextra -Werror -pedantic"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
flags=$(pkg-config --cflags imreuse)
libs=$(pkg-config --libs imreuse)
static="$prefix/lib/libimreuse.a $(pkg-config --static --libs-only-other imreuse)"

step() { printf '== %s\n' "$*"; }

# The compilers run two at a time. beside runs a command, joined waits for all.
pids=
beside() {
  "$@" &
  pids="$pids $!"
}
joined() {
  for pid in $pids; do wait "$pid"; done
  pids=
}

step "the symbols and the version"
"$here/symbols.sh" "$prefix"
version=$(sed -n 's/^#define IMREUSE_VERSION "\(.*\)"$/\1/p' "$prefix/include/imreuse.h")
[ "$(pkg-config --modversion imreuse)" = "$version" ]
[ "$(readlink "$prefix/lib/libimreuse.so")" = "libimreuse.so.${version%%.*}" ]

step "the examples, built against the installed files by each compiler"
unset IMREUSE_KIT_URL IMREUSE_GATEWAY_URL
examples=$here/../examples
for compiler in gcc clang; do
  $compiler -std=c99 $strict $flags "$examples/room.c" "$examples/nim.c" -o "$out/room" $libs -pthread
  "$out/room" </dev/null | diff "$examples/out.txt" -
done
gcc -std=c99 -c "$examples/nim.c" -o "$out/nim.o"
for compiler in g++ clang++; do
  $compiler -std=c++17 $strict $flags "$examples/desktop.cpp" "$out/nim.o" -o "$out/desktop" $libs -pthread
  "$out/desktop" </dev/null | diff "$examples/out.txt" -
done
own=$(sed -n '/^int main/,$p' "$examples/desktop.cpp" | grep -v '^ *//' | grep -c .)
[ "$own" -le 40 ] || { echo "desktop.cpp has $own lines of the app's own code, want at most 40"; exit 1; }

# The tests check what imreuse_version returns, too.
step "rules 1 to 9 from C and from C++, with the sanitizers"
sanitize="-g -fsanitize=address,undefined -fno-sanitize-recover=all"
threads="-D_POSIX_C_SOURCE=200809L -pthread"
beside clang -std=c11 $strict $sanitize $threads $flags "$here"/*.c -o "$out/c" $libs
beside clang++ -std=c++17 $strict $sanitize -pthread $flags "$here"/*.cpp -o "$out/cpp" $libs
joined
beside "$out/c"
beside "$out/cpp"
joined

step "the same, built by gcc, with the static library"
beside gcc -std=c11 $strict $threads $flags "$here"/*.c -o "$out/c-gcc" $static
beside g++ -std=c++17 $strict -pthread $flags "$here"/*.cpp -o "$out/cpp-gcc" $static
joined
beside "$out/c-gcc"
beside "$out/cpp-gcc"
joined

# Go tells the sanitizer what its goroutines wait for, if cgo is built for it.
step "rules 1 to 9 with the thread sanitizer"
(cd "$here/.." && CC=clang CGO_CFLAGS="-fsanitize=thread -g -O1" CGO_LDFLAGS=-fsanitize=thread \
  "$GO" build -trimpath -buildvcs=false -ldflags "-s -w" -buildmode=c-archive -o "$out/tsan.a" .)
beside clang -std=c11 -g -fsanitize=thread $threads $flags "$here"/*.c -o "$out/c-tsan" "$out/tsan.a"
beside clang++ -std=c++17 -g -fsanitize=thread -pthread $flags "$here"/*.cpp -o "$out/cpp-tsan" "$out/tsan.a"
joined
export TSAN_OPTIONS="suppressions=$here/tsan.supp"
beside "$out/c-tsan"
beside "$out/cpp-tsan"
joined
