//! How the program is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // At a fixed address there is nothing to relocate: 28,000 places otherwise, in both processes that a run begins with, and
    // their pages copied at each start of another. That was a fifth of the time to the first frame. Where the C library is
    // linked statically its start code decides.
    if target("OS") == "linux" && target("ENV") == "gnu" && !target("FEATURE").split(',').any(|feature| feature == "crt-static") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
