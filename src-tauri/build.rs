//! Writes down which capabilities and pages the window has.

fn main() {
    // The pages are part of the program.
    println!("cargo:rerun-if-changed=../ui/dist");
    tauri_build::build();
}
