//! Which names speak of secrets.

/// Whether a variable of this name holds something that must not be shown.
pub fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 18] = [
        "SECRET",
        "SECRETS",
        "TOKEN",
        "TOKENS",
        "PASSWORD",
        "PASSWORDS",
        "PASSWD",
        "PASSPHRASE",
        "PASS",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
        "PRIVKEY",
        "AUTHORIZATION",
        "BEARER",
        "COOKIE",
        "PAT",
        "JWT",
    ];
    const LONG: [&str; 5] = ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY"];
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let ends_in = |word: &str| words.last() == Some(&word);
    let public = words.contains(&"PUBLIC");
    words.iter().any(|word| WORDS.contains(word) || LONG.iter().any(|long| word.contains(long)) || word.ends_with("TOKEN"))
        || (ends_in("KEY") && !public)
        || ends_in("AUTH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in [
            "GITHUB_TOKEN",
            "github_token",
            "AWS_SECRET_ACCESS_KEY",
            "MYSQL_PWD_PASSWORD",
            "API_KEY",
            "DBPASSWORD",
            "NPM_AUTH",
            "GH_PAT",
            "authToken",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "PWD",
            "SSH_AUTH_SOCK",
            "TOKENIZERS_PARALLELISM",
            "PUBLIC_KEY",
            "KEYBOARD",
            "MONKEY",
            "XAUTHORITY",
            "PASSENGER",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
