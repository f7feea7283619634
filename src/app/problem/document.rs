//! What a person is told where a client's metadata document does not make a client.

use super::{FAULT_WAIT, Words, answer, retry_after};
use crate::app::client_documents::DocumentProblem;
use crate::http::{Request, Response, Status};
use crate::oauth::error::ErrorCode;
use crate::oauth::ids::ClientId;
use crate::outgoing::FetchRefusal;

const TELL_ITS_MAKERS: &str = "Go back to the app, and tell its makers what this page says.";
const WHOEVER_RUNS: &str =
    "If you run this server, its log says more. If not, show this page to whoever does.";

/// Tells a person why the app that sent them is not known by the address that it gives as its name.
pub fn document(request: &Request, id: &ClientId, problem: &DocumentProblem) -> Response {
    let words = words(problem);
    let subject = Some(id.as_str());
    let answer = |status| answer(request, status, problem.code().as_str(), &words, subject, None);
    let response = match problem.code() {
        ErrorCode::TemporarilyUnavailable => retry_after(answer(Status::SERVICE_UNAVAILABLE), FAULT_WAIT),
        _ => answer(Status::BAD_REQUEST),
    };
    response.because(log_reason(id, problem))
}

/// For the log line: the reason, what mends it, and the URL. The line is cut at its end, where the stranger's words are.
fn log_reason(id: &ClientId, problem: &DocumentProblem) -> String {
    let detail = match problem {
        DocumentProblem::Fetch(why) => format!(" ({why})"),
        DocumentProblem::Document(why) => format!(" ({})", why.reason()),
        _ => String::new(),
    };
    format!("{}{detail}; mend: {}; {id}", problem.reason(), mend(problem))
}

/// What the owner can do, in a clause.
pub fn mend(problem: &DocumentProblem) -> String {
    match problem {
        DocumentProblem::Off => {
            "to let clients be named by documents: --client-documents on; or add the client: vestibule client add"
                .to_owned()
        }
        DocumentProblem::Url(why) => format!("{why}: its makers have to change it"),
        DocumentProblem::HostRefused(host) => format!(
            "to accept {host}: add it to --client-document-hosts, and take it out of --client-document-hosts-refused"
        ),
        DocumentProblem::OwnHost => "this server serves no such document: the client has to name its own".to_owned(),
        DocumentProblem::Fetch(why) => match why {
            FetchRefusal::AddressSpecial(address) if !address.is_loopback() => {
                format!("to fetch from there all the same, as while developing a client: --fetch-networks {address}")
            }
            // A name of this machine usually has both addresses, and each of them is looked at.
            FetchRefusal::AddressSpecial(_) | FetchRefusal::NameSpecial => {
                "to fetch from this machine all the same, as while developing a client: \
                 --fetch-networks 127.0.0.1,::1"
                    .to_owned()
            }
            FetchRefusal::Tls(_) => {
                "if its certificate is of an authority of your own: --fetch-roots FILE.pem".to_owned()
            }
            FetchRefusal::TooLarge => "to accept longer ones: --client-document-bytes-max 65536".to_owned(),
            FetchRefusal::NameUnknown | FetchRefusal::Unreachable | FetchRefusal::TooSlow => {
                "see whether this machine reaches the internet; where it is not to, let clients register themselves: \
                 --client-documents off"
                    .to_owned()
            }
            FetchRefusal::Status(403 | 429) => {
                "its host turns this server's address away; let clients register themselves instead: \
                 --client-documents off"
                    .to_owned()
            }
            _ => "its makers have to mend what their server answers".to_owned(),
        },
        DocumentProblem::Document(why) => format!("its makers have to mend it: {}", why.describe()),
    }
}

const fn words(problem: &DocumentProblem) -> Words {
    match problem {
        DocumentProblem::Off => Words {
            title: "Unknown app",
            what: "The app gives the address of a description of itself as its name, and this server fetches none.",
            why: "Whoever runs this server has switched such descriptions off.",
            next: "If you run this server, add the app by hand, or switch descriptions on:",
            command: Some("vestibule serve --client-documents on"),
        },
        DocumentProblem::Url(_) => Words {
            title: "Unknown app",
            what: "The app gives an address as its name that cannot be the address of its description.",
            why: "Such an address begins with https, has a path, and has one spelling only.",
            next: TELL_ITS_MAKERS,
            command: None,
        },
        DocumentProblem::HostRefused(_) => Words {
            title: "Not an app from there",
            what: "This server does not accept apps that this host vouches for.",
            why: "Whoever runs this server has listed the hosts whose word counts, and this one is not among them.",
            next: "If you run this server and trust that host, add it to the list:",
            command: Some("vestibule serve --client-document-hosts HOST"),
        },
        DocumentProblem::OwnHost => Words {
            title: "Unknown app",
            what: "The app gives an address of this server as its name.",
            why: "An app is described where its makers publish it, never here.",
            next: TELL_ITS_MAKERS,
            command: None,
        },
        DocumentProblem::Fetch(why) => fetch_words(why),
        DocumentProblem::Document(why) => Words {
            title: "The app describes itself wrongly",
            what: why.describe(),
            why: "The description that the app publishes of itself is read strictly, so that nobody can pass for it.",
            next: TELL_ITS_MAKERS,
            command: None,
        },
    }
}

const fn fetch_words(why: &FetchRefusal) -> Words {
    const TITLE: &str = "The app's description cannot be read";
    match why {
        FetchRefusal::UrlUnsuitable | FetchRefusal::NameSpecial | FetchRefusal::AddressSpecial(_) => Words {
            title: TITLE,
            what: "The address of the app's description leads into a private network.",
            why: "Fetching from there would let a stranger reach what only this server can reach.",
            next: "If you run this server and are developing the app, allow its network:",
            command: Some("vestibule serve --fetch-networks 127.0.0.1,::1"),
        },
        FetchRefusal::NameUnknown | FetchRefusal::Unreachable | FetchRefusal::TooSlow => Words {
            title: TITLE,
            what: "The host that vouches for the app did not answer.",
            why: "It is down, or this server has no way out to it.",
            next: WHOEVER_RUNS,
            command: None,
        },
        FetchRefusal::Tls(_) => Words {
            title: TITLE,
            what: "The host that vouches for the app could not prove who it is.",
            why: "Its certificate has expired, is another host's, or is of an authority that this server does not trust.",
            next: WHOEVER_RUNS,
            command: None,
        },
        FetchRefusal::Status(_) => Words {
            title: TITLE,
            what: "The host that vouches for the app does not hand its description out.",
            why: "It answered with another status than 200. Redirects are not followed.",
            next: WHOEVER_RUNS,
            command: None,
        },
        FetchRefusal::NotJson | FetchRefusal::Encoded | FetchRefusal::TooLarge | FetchRefusal::Broken => {
            Words {
                title: TITLE,
                what: "What the host that vouches for the app sends is not such a description.",
                why: "It is not JSON, is compressed, is too long, or broke off.",
                next: TELL_ITS_MAKERS,
                command: None,
            }
        }
        FetchRefusal::Crowded => Words {
            title: "Too much at once",
            what: "Too many descriptions of apps are being fetched at the moment.",
            why: "This server fetches few at a time, so that nobody can wear it out.",
            next: "Wait a little, then go back to the app and connect again.",
            command: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::error::Malformed;
    use crate::oauth::refusal::{DocumentRefusal, RegistrationRefusal};

    #[test]
    fn every_problem_with_a_document_can_be_told_to_a_program_and_says_what_to_do() {
        let fetch = [
            FetchRefusal::UrlUnsuitable,
            FetchRefusal::NameSpecial,
            FetchRefusal::AddressSpecial(std::net::Ipv4Addr::LOCALHOST.into()),
            FetchRefusal::NameUnknown,
            FetchRefusal::Unreachable,
            FetchRefusal::Tls("expired".to_owned()),
            FetchRefusal::Status(302),
            FetchRefusal::Status(403),
            FetchRefusal::NotJson,
            FetchRefusal::Encoded,
            FetchRefusal::TooLarge,
            FetchRefusal::TooSlow,
            FetchRefusal::Broken,
            FetchRefusal::Crowded,
        ];
        let document = [
            DocumentRefusal::IdDiffers,
            DocumentRefusal::NameMissing,
            DocumentRefusal::Secret,
            DocumentRefusal::Metadata(RegistrationRefusal::RedirectUriMissing),
        ];
        let problems = [
            DocumentProblem::Off,
            DocumentProblem::Url(Malformed("x")),
            DocumentProblem::HostRefused("evil.test".to_owned()),
            DocumentProblem::OwnHost,
        ];
        let problems = problems
            .into_iter()
            .chain(fetch.into_iter().map(DocumentProblem::Fetch))
            .chain(document.into_iter().map(DocumentProblem::Document));
        for problem in problems {
            let words = words(&problem);
            let allowed = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
            assert!(words.what.bytes().all(allowed), "{}", words.what);
            for text in [words.title, words.what, words.why, words.next] {
                assert!(!text.is_empty() && !text.contains("evil.test") && !text.contains("  "), "{text}");
            }
            assert!(mend(&problem).len() > 20, "{problem:?}");
        }
    }
}
