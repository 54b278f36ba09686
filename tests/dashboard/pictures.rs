//! Pictures of the real program for the README: `assets/screenshots.sh` runs this.

use std::fmt::Write;

use super::{support::Bench, terminal::Terminal};

/// Cells of a picture.
const SIZE: (u16, u16) = (120, 34);
/// Pixels of a cell.
const CELL: (f32, f32) = (8.4, 18.0);

/// Opens bundled scenarios, presses some keys, and writes what a terminal shows as SVG into the folder named.
#[test]
#[ignore = "writes pictures; assets/screenshots.sh runs it"]
fn pictures() {
    let to = std::env::var("E2E_PICTURES").expect("E2E_PICTURES names a folder");
    let take = |name: &str, args: &[&str], play: &dyn Fn(&mut Terminal)| {
        let bench = Bench::new("picture");
        let mut command = bench.command();
        command.args(args);
        let mut terminal = Terminal::start(&command, SIZE.0, SIZE.1);
        play(&mut terminal);
        // The frame is whole once nothing more comes.
        let mut before = String::new();
        terminal.wait("the screen stands", |text| std::mem::replace(&mut before, text.to_owned()).lines().skip(1).eq(text.lines().skip(1)));
        let picture = terminal.screen(svg);
        std::fs::write(format!("{to}/{name}.svg"), picture).expect("the folder can be written");
        // What is open takes the first of them.
        terminal.send("\x03\x03");
        terminal.ended();
    };
    take("forward", &["forward", "--set", "calls=50"], &|terminal| drop(terminal.wait_for("6 of 50 calls")));
    take("crash-restart", &["crash-restart"], &|terminal| {
        terminal.wait("both clients have failed", |text| text.matches("✗ failed").count() >= 2 && text.contains("What happened"));
    });
    take("details", &["crash-restart"], &|terminal| {
        terminal.wait("both clients have failed", |text| text.matches("✗ failed").count() >= 2 && text.contains("What happened"));
        terminal.send("\ti");
        terminal.wait_for("generations");
    });
}

/// The picture of a terminal.
fn svg(screen: &vt100::Screen) -> String {
    let (columns, rows) = SIZE;
    let (width, height) = (f32::from(columns) * CELL.0 + 24.0, f32::from(rows) * CELL.1 + 24.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-size=\"14\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n"
    );
    for row in 0..rows {
        let mut run = Run::default();
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { continue };
            let (x, y) = (12.0 + f32::from(column) * CELL.0, 12.0 + f32::from(row) * CELL.1);
            let (mut ink, mut paper) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
            if cell.inverse() {
                (ink, paper) = (Some(paper.unwrap_or_else(|| "#16181d".into())), Some(ink.unwrap_or_else(|| "#d7dae0".into())));
            }
            if let Some(paper) = paper {
                let width = CELL.0 + 0.2;
                let _ = writeln!(out, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{paper}\"/>", CELL.1);
            }
            let look = (ink.unwrap_or_else(|| "#d7dae0".into()), cell.bold());
            let text = if cell.contents().is_empty() { " " } else { cell.contents() };
            // Blanks have no colour and end no run but an empty one.
            if run.look != look && !text.trim().is_empty() {
                run.write(&mut out);
                run = Run { look, text: String::new(), x, y, cells: 0, inked: 0 };
            }
            run.text.push_str(text);
            run.cells += 1;
            if !text.trim().is_empty() {
                run.inked = run.cells;
            }
        }
        run.write(&mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// Cells of one look beside each other.
#[derive(Default)]
struct Run {
    look: (String, bool),
    text: String,
    x: f32,
    y: f32,
    cells: u16,
    /// Up to the last that is not blank.
    inked: u16,
}

impl Run {
    fn write(&self, out: &mut String) {
        if self.inked == 0 {
            return;
        }
        let text = self.text.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let bold = if self.look.1 { " font-weight=\"bold\"" } else { "" };
        let (x, y, length, ink) = (self.x, self.y + 13.5, f32::from(self.inked) * CELL.0, &self.look.0);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{ink}\"{bold}>{text}</text>"
        );
    }
}

/// A colour of the usual palette; none: the terminal's own.
fn colour(colour: vt100::Color) -> Option<String> {
    const SIXTEEN: [u32; 16] = [
        0x0020_232a,
        0x00e0_6c75,
        0x0098_c379,
        0x00d1_9a66,
        0x0061_afef,
        0x00c6_78dd,
        0x0056_b6c2,
        0x00ab_b2bf,
        0x005c_6370,
        0x00ff_7b85,
        0x00b0_e08c,
        0x00ff_c777,
        0x0082_c4ff,
        0x00dd_9cff,
        0x0070_d7e3,
        0x00ff_ffff,
    ];
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        vt100::Color::Idx(n @ 0..16) => Some(format!("#{:06x}", SIXTEEN[usize::from(n)])),
        vt100::Color::Idx(n @ 16..232) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
            let n = n - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        vt100::Color::Idx(n) => {
            let grey = 8 + (n - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}
