//! Somebody with a browser, or a program with an HTTP client, in front of a server in a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::form_urlencoded;
use vestibule::http::Status;

use super::Answer;

/// A connection that is kept open.
pub struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Wire {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|why| why.to_string())?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| why.to_string())?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Asks, and takes whatever answer comes. `Err`: none came, or not all of it.
    pub async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, String> {
        let mut request = hyper::Request::builder().method(method).uri(target).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).expect("a request");
        self.sender.ready().await.map_err(|why| why.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|why| why.to_string())?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|why| why.to_string())?.to_bytes().to_vec();
        let status = Status::from_u16(head.status.as_u16()).expect("a status");
        // Not `Answer::new`: whoever answers may be somebody else than Vestibule, who promised nothing.
        Ok(Answer { status, headers: head.headers, body })
    }

    /// POSTs a form to Vestibule.
    pub async fn post(
        &mut self,
        target: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.ask("POST", target, &[headers, &form].concat(), body).await?;
        Ok(Answer::new(answer.status, answer.headers, answer.body))
    }
}

/// One request on a connection of its own.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut wire = Wire::open(address).await.expect("it listens");
    wire.ask(method, target, headers, body.to_owned()).await.expect("it answers")
}

/// A person with a browser, in front of a Vestibule whose issuer is its address.
pub struct Person {
    /// Where Vestibule listens.
    pub address: SocketAddr,
    issuer: String,
    name: String,
    password: String,
    cookies: BTreeMap<String, String>,
}

impl Person {
    pub fn new(address: SocketAddr, issuer: &str, name: &str, password: &str) -> Self {
        Self {
            address,
            issuer: issuer.to_owned(),
            name: name.to_owned(),
            password: password.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Follows the set-up link that the server printed, and becomes its first admin.
    pub async fn become_admin(&mut self, link: &str) -> Answer {
        let page = self.open(link).await;
        let (form_token, token) = (page.field("form_token"), page.field("token"));
        let (Some(form_token), Some(token)) = (form_token, token) else { return page };
        let (name, password) = (self.name.clone(), self.password.clone());
        let fields = [
            ("form_token", form_token.as_str()),
            ("token", &token),
            ("username", &name),
            ("email", ""),
            ("password", &password),
        ];
        self.send("/setup", &fields).await
    }

    /// Opens an authorization URL, signs in if asked, allows if asked, and ends at the redirect to the client: where
    /// it goes.
    #[track_caller]
    pub fn allow<'a>(&'a mut self, url: &'a str) -> impl Future<Output = String> + 'a {
        async move {
            let mut page = self.open(url).await;
            for _ in 0..10 {
                let location = page.header("location").map(str::to_owned);
                page = match (location, page.field("form_token"), page.field("authorization")) {
                    (Some(path), ..) if path.starts_with('/') => self.open(&path).await,
                    (Some(elsewhere), ..) => return elsewhere,
                    (None, Some(token), Some(authorization)) => {
                        let asked = [("form_token", token.as_str()), ("authorization", &authorization)];
                        if page.field("password").is_some() {
                            let (name, password) = (self.name.clone(), self.password.clone());
                            let typed = [("username", name.as_str()), ("password", &password)];
                            self.send("/login", &[asked, typed].concat()).await
                        } else {
                            self.send("/consent", &[&asked[..], &[("decision", "allow")]].concat()).await
                        }
                    }
                    _ => panic!("{} leads nowhere: {} {}", self.name, page.status, page.text()),
                };
            }
            panic!("{} goes round in circles", self.name);
        }
    }

    /// Opens a page of Vestibule's, without following anything.
    pub async fn open(&mut self, url: &str) -> Answer {
        let target = url.strip_prefix(&self.issuer).unwrap_or(url).to_owned();
        let cookies = self.cookie_line();
        let headers = [("accept", "text/html"), ("cookie", cookies.as_str())];
        let answer = ask(self.address, "GET", &target, &headers, "").await;
        self.keep(Answer::new(answer.status, answer.headers, answer.body))
    }

    async fn send(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let (cookies, origin) = (self.cookie_line(), self.issuer.clone());
        let headers = [
            ("accept", "text/html"),
            ("cookie", cookies.as_str()),
            ("origin", &origin),
            ("sec-fetch-site", "same-origin"),
        ];
        let mut wire = Wire::open(self.address).await.expect("it listens");
        let answer = wire.post(target, &headers, fields).await.expect("it answers");
        self.keep(answer)
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        for line in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = line.to_str().expect("ASCII").split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("name and value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn cookie_line(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}
