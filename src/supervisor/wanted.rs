//! Failures of our own whose end a test wants to see.

/// Panics where a test wants this part to fail. Only debug builds do.
pub(super) fn panic_if_a_test_wants_it(part: &str) {
    #[cfg(debug_assertions)]
    assert!(std::env::var_os("E2E_TUI_TEST_PANIC").is_none_or(|wanted| wanted != part), "a test wanted its {part} to fail");
    #[cfg(not(debug_assertions))]
    let _ = part;
}
