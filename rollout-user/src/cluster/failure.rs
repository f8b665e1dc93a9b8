//! What can go wrong between here and the API server, in words.
//!
//! In: `kube` errors and answers. Out: [`Failure`], which knows its text and its remedy.

use crate::error::hinted;
use std::time::Duration;

/// Longest reason that is kept, characters.
const REASON: usize = 300;

/// Why a request or a watch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 410: the resource version is too old; list again.
    Gone(String),
    /// 401.
    Unauthorized(String),
    /// 403.
    Forbidden(String),
    /// 404.
    NotFound(String),
    /// Any other HTTP error.
    Refused(String),
    /// No connection, or it broke.
    Unreachable(String),
    /// No answer in time.
    Silent(Duration),
    /// The answer was not what the API answers.
    Malformed(String),
    /// The watch ended without need.
    Ended(String),
}

impl Failure {
    /// By status code.
    pub(crate) fn status(code: u16, message: &str) -> Failure {
        let text = match (code, message.trim()) {
            (0, "") => "error without a status".to_owned(),
            (0, message) => message.to_owned(),
            (code, message) => format!("{code} {message}").trim_end().to_owned(),
        };
        match code {
            410 => Failure::Gone(text),
            401 => Failure::Unauthorized(text),
            403 => Failure::Forbidden(text),
            404 => Failure::NotFound(text),
            _ => Failure::Refused(text),
        }
    }

    /// For people, one line, without control characters, at most 300 characters.
    pub(crate) fn reason(&self) -> String {
        let text = match self {
            Failure::Gone(text)
            | Failure::Unauthorized(text)
            | Failure::Forbidden(text)
            | Failure::NotFound(text)
            | Failure::Refused(text) => text.clone(),
            Failure::Unreachable(text) => format!("no connection: {text}"),
            Failure::Silent(waited) => format!("no answer for {:.1} s", waited.as_secs_f64()),
            Failure::Malformed(text) => format!("unreadable answer: {text}"),
            Failure::Ended(text) => text.clone(),
        };
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect()
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Failure::Unauthorized(_) => {
                "the server does not accept these credentials: renew the token or certificate, or choose another --context"
            }
            Failure::Forbidden(_) => {
                "a permission is missing: `rollout doctor` prints the ClusterRole to apply"
            }
            Failure::Unreachable(text) if text.contains("certificate") => {
                "check `certificate-authority` and the server's name in this context: a proxy may be in between"
            }
            Failure::Unreachable(_) | Failure::Silent(_) => {
                "is the API server up and reachable from this node? `kubectl version` with the same --kubeconfig and \
                 --context must answer"
            }
            Failure::Malformed(_) => {
                "is that address an API server? a proxy or another web server may be answering"
            }
            _ => "see the API server's log",
        }
    }

    /// As the error of a command.
    pub(crate) fn at(&self, server: &str, source: &str) -> anyhow::Error {
        let verb = match self {
            Failure::Unreachable(_) | Failure::Silent(_) => "cannot be reached",
            Failure::Malformed(_) => "does not answer like one",
            _ => "refuses",
        };
        hinted(
            format!("the API server `{server}` (from {source}) {verb}: {}", self.reason()),
            self.remedy(),
        )
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Failure::status(status.code, &status.message),
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                Failure::Malformed(error.to_string())
            }
            kube::Error::Auth(_) => Failure::Unauthorized(chain(&error)),
            // The wrapper says nothing but its own name.
            kube::Error::Service(cause) => Failure::Unreachable(chain(cause.as_ref())),
            kube::Error::HyperError(cause) => Failure::Unreachable(chain(cause)),
            _ => Failure::Unreachable(chain(&error)),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Unreachable(chain(&error))
    }
}

/// The deepest causes say what happened (`Connection refused`); each text once, without `kube`'s and `rustls`' extras.
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut current = Some(error);
    while let Some(error) = current {
        let text = error.to_string();
        let text = text.strip_prefix("ServiceError: ").unwrap_or(&text);
        let text = text.split(": https://docs.rs").next().unwrap_or(text).to_owned();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        current = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_kind_and_a_reason_of_one_clean_line() {
        assert!(matches!(Failure::status(410, "x"), Failure::Gone(_)));
        assert!(matches!(Failure::status(401, "x"), Failure::Unauthorized(_)));
        assert!(matches!(Failure::status(403, "x"), Failure::Forbidden(_)));
        assert!(matches!(Failure::status(500, "x"), Failure::Refused(_)));
        let hostile = Failure::status(500, &format!("a\nb\u{1b}[2J{}", "x".repeat(10_000)));
        let reason = hostile.reason();
        assert!(reason.starts_with("500 a b [2Jxxx") && reason.chars().count() == REASON);
    }

    #[test]
    fn extras_are_left_out() {
        let text = "ServiceError: peer closed connection: https://docs.rs/rustls/latest/x.html#eof";
        assert_eq!(chain(&std::io::Error::other(text)), "peer closed connection");
    }

    #[test]
    fn a_certificate_has_its_own_remedy() {
        let failure = Failure::Unreachable("invalid peer certificate: UnknownIssuer".into());
        assert!(failure.remedy().contains("certificate-authority"));
    }

    #[test]
    fn a_cause_is_not_said_twice() {
        let inner = std::io::Error::from_raw_os_error(111);
        let outer = std::io::Error::other(inner);
        assert_eq!(chain(&outer), "Connection refused (os error 111)");
    }
}
