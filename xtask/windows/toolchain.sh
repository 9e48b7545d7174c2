#!/usr/bin/env bash
# Makes a folder with what it takes to compile for Windows: Debian's mingw-w64 gcc, and a rustc with a standard library
# for x86_64-pc-windows-gnu. Nothing is installed into the system: packages are unpacked into the folder.
# Usage: toolchain.sh FOLDER
#
# Debian has no ready standard library for that target, so it is compiled from the source that belongs to its rustc,
# and that rustc must then be the one in use. With a second call everything is found and nothing is done.
set -euo pipefail

target=x86_64-pc-windows-gnu
folder=$(realpath -m "${1:?usage: toolchain.sh FOLDER}")
unpacked=$folder/root
ready=$folder/ready

packages=(
    rustc-web libstd-rust-web-dev rust-web-src
    binutils-mingw-w64-x86-64 mingw-w64-common mingw-w64-x86-64-dev gcc-mingw-w64-base
    gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-x86-64-win32-runtime g++-mingw-w64-x86-64-win32
)
# Two libraries that rustc loads carry a version in their names; only the packages before them tell which.
depends() { apt-cache depends "$1" 2>/dev/null | awk -v name="$2" '$1 == "Depends:" && $2 ~ name { print $2; exit }'; }
compiler=$(depends libstd-rust-web-dev '^libstd-rust-web-')
llvm=$(depends "${compiler:-none}" '^libllvm')
packages+=("${compiler:-libstd-rust-web}" "${llvm:-libllvm}")

for package in "${packages[@]}"; do
    if ! apt-cache show "$package" >/dev/null 2>&1; then
        echo "The package $package is not in this system's lists. The tools for Windows come from Debian 12; elsewhere, or after apt-get update, try again." >&2
        exit 1
    fi
done

versions=$(apt-cache policy "${packages[@]}" | awk '/^[^ ]/ { name = $1 } $1 == "Candidate:" { print name, $2 }')
if [ -f "$ready" ] && [ "$(cat "$ready")" = "$versions" ]; then
    exit 0
fi

rm -rf "$folder"
mkdir -p "$folder/packages" "$folder/bin" "$unpacked"
(cd "$folder/packages" && apt-get download -q -o APT::Sandbox::User=root "${packages[@]}")
for package in "$folder"/packages/*.deb; do
    dpkg -x "$package" "$unpacked"
done
rm -rf "$folder/packages"

# Debian names its compilers after their thread model; cc and cargo look for the plain names.
for tool in gcc g++; do
    ln -sf "x86_64-w64-mingw32-$tool-win32" "$unpacked/usr/bin/x86_64-w64-mingw32-$tool"
done
cat > "$folder/bin/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH="$unpacked/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$unpacked/usr/bin/rustc" "\$@"
END
chmod +x "$folder/bin/rustc"

# An empty crate makes cargo build the standard library; what comes out is put where rustc looks for it.
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT
mkdir "$crate/src"
printf '[package]\nname = "nothing"\nversion = "0.0.0"\nedition = "2021"\n' > "$crate/Cargo.toml"
: > "$crate/src/lib.rs"
(
    cd "$crate"
    unset RUSTFLAGS RUSTDOCFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET
    export RUSTC=$folder/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$unpacked/usr/bin:$PATH"
    # The cargo that called, not the one that was just unpacked.
    "${CARGO:-cargo}" build --release --target "$target" --target-dir "$crate/built" \
        -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test
)
libraries=$unpacked/usr/lib/rustlib/$target/lib
mkdir -p "$libraries"
cp "$crate/built/$target"/release/deps/*.rlib "$libraries/"
rm -f "$libraries"/libnothing-*.rlib

echo "$versions" > "$ready"
