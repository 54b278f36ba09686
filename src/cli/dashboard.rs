//! `e2e-tui --scenario FILE`.
use super::args::Target;
pub(super) fn main(target: &Target) -> anyhow::Result<u8> {
    let _ = target;
    anyhow::bail!("the dashboard is not merged yet")
}
