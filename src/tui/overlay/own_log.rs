//! The tool's own log. Children's output never comes here.

use std::sync::Once;

use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerWidget};

use super::draw::open;
use crate::tui::{
    scene::{Drawn, Scene},
    theme::Role,
};

/// Begins to collect the tool's own log for the dashboard; `E2E_TUI_LOG` says what (`debug`, `e2e_tui::process=trace`).
/// Later calls do nothing, and a subscriber that is already there stays.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = EnvFilter::try_from_env("E2E_TUI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        // Its own set-up starts a thread that wakes a hundred times a second; `collect` moves records instead.
        tui_logger::set_default_level(tui_logger::LevelFilter::Trace);
        tui_logger::set_hot_buffer_depth(HOT);
        let _ = tracing_subscriber::registry().with(filter).with(tui_logger::TuiTracingSubscriberLayer).try_init();
    });
}

/// Records kept between two frames.
const HOT: usize = 10_000;

/// Moves what was logged since the last frame to where the pane shows it.
pub(crate) fn collect() {
    tui_logger::move_events();
}

/// Draws its newest lines.
pub(super) fn draw(scene: &Scene<'_>, stage: Rect, buf: &mut Buffer) -> Drawn {
    let look = scene.look;
    let body = open(scene, "e2e-tui's own log", "E2E_TUI_LOG=debug shows more", stage, buf);
    if !body.is_empty() {
        TuiLoggerWidget::default()
            .output_level(Some(TuiLoggerLevelOutput::Abbreviated))
            .output_file(false)
            .output_line(false)
            .style(look.style(Role::Plain))
            .style_error(look.style(Role::Bad))
            .style_warn(look.style(Role::Warn))
            .style_debug(look.style(Role::Dim))
            .style_trace(look.style(Role::Dim))
            .render(body, buf);
    }
    Drawn::default()
}
