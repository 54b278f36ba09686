//! Two hundred secrets, told in every way that programs tell them, and the proof that a text holds none.

use std::{fmt::Write, path::PathBuf, process::Command};

use super::Bench;

/// Secrets, and a scenario whose processes give them away.
pub(crate) struct Planted {
    /// By the variable that holds each. Half of them are declared, half are only named like secrets.
    secrets: Vec<(String, String)>,
    pub(crate) scenario: PathBuf,
}

impl Planted {
    pub(crate) fn in_bench(bench: &Bench) -> Self {
        let secrets: Vec<(String, String)> = (0..200)
            .map(|n| {
                let value = format!("pl{n:03}\"x/y {}\\&é{:x}-end{n:03}", n * 7919, n * 104_729 + 77);
                (if n < 100 { format!("PLANTED_{n}") } else { format!("PLANTED_{n}_TOKEN") }, value)
            })
            .collect();
        let mut said = String::new();
        for (n, (_, secret)) in secrets.iter().enumerate() {
            for (kind, text) in spellings(secret, n).iter().enumerate() {
                writeln!(said, "{n} {kind} ERROR header=[{text}] ##e2e").expect("memory");
                writeln!(said, "##e2e mark saw {text}").expect("memory");
            }
        }
        let said = bench.write("said", &said);
        let declared = secrets[..100].iter().fold(String::new(), |all, (name, _)| {
            let key = name.to_lowercase();
            all + &format!("{key} = {{ env = \"{name}\" }}\n")
        });
        let scenario = format!(
            "name = \"planted\"\ndescription = \"secret\"\n[secrets]\n{declared}\
             [process.chunks]\nrole = \"task\"\ncommand = [\"dd\", \"if={0}\", \"bs=37\", \"status=none\"]\n\
             [process.argv]\nrole = \"task\"\nenv = {{ GIVEN = \"${{secrets.planted_3}}\" }}\nshell = 'printf \"%s\\n\" \"$GIVEN\" >&2; exit 0'\n\
             [process.leaker]\nrole = \"task\"\nshell = \"sh -c 'sleep 600; :' '${{secrets.planted_4}}' & exit 0\"\n\
             [process.missing]\nrole = \"test\"\ncommand = [\"${{secrets.planted_5}}\"]\ndepends_on = {{ chunks = \"completed\" }}\n",
            said.display()
        );
        Self { scenario: bench.write("scenario.toml", &scenario), secrets }
    }

    /// Puts the secrets into the environment of a command.
    pub(crate) fn tell<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.secrets.iter().map(|(name, value)| (name, value)))
    }

    /// No secret is in `bytes`, nor a telling part of one, as they are or as somebody reads them who decodes everything once.
    pub(crate) fn assert_absent(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let plain = e2e_tui::logs::plain(text.replace('\n', "\u{1}").as_bytes());
        for (_, secret) in &self.secrets {
            let (head, tail) = (&secret[..8], &secret[secret.len() - 7..]);
            let json = serde_json::to_string(secret).expect("text");
            let encoded = [
                secret.clone(),
                json[1..json.len() - 1].to_owned(),
                percent(secret, b"-._~", true),
                percent(secret, b"-._~/", false),
                base64(secret.as_bytes())[..secret.len() * 8 / 6].to_owned(),
            ];
            for text in [&text, plain.as_str()] {
                for spelling in &encoded {
                    assert!(!text.contains(spelling.as_str()), "{place} holds {spelling}");
                }
                assert!(!(text.contains(head) || text.contains(tail)), "{place} holds a part of {secret}");
            }
        }
    }
}

/// As it is, JSON-escaped once and twice, URL-encoded in three ways, in base64 at each offset, and with a colour in its middle.
fn spellings(secret: &str, n: usize) -> [String; 10] {
    let json = serde_json::to_string(secret).expect("text");
    [
        secret.to_owned(),
        json.clone(),
        serde_json::to_string(&json).expect("text"),
        percent(secret, b"-._~", true),
        percent(secret, b"-._~/", false),
        percent(secret, b"-._*", true).replace("%20", "+"),
        base64(secret.as_bytes()),
        base64(format!("user:{secret}").as_bytes()),
        base64(format!("me:{secret}").as_bytes()),
        format!("{}\x1b[3{}m{}\x1b[0m", &secret[..4], n % 8, &secret[4..]),
    ]
}

fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let block = |block: &[u8]| {
        let n = block.iter().chain([0, 0].iter()).take(3).fold(0u32, |n, b| n << 8 | u32::from(*b));
        (0..4).map(move |i| if i <= block.len() { char::from(letters[(n >> (18 - 6 * i) & 63) as usize]) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(block).collect()
}

fn percent(text: &str, keep: &[u8], upper: bool) -> String {
    let each = |b: u8| match b {
        b if b.is_ascii_alphanumeric() || keep.contains(&b) => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(each).collect()
}
