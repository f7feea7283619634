//! PKCE (RFC 7636): S256 and nothing else, for every client.

use crate::harness::{Answer, Browser, ClientApp, PASSWORD, Pkce, R1, Server, Tokens};

/// `app`, but with another verifier.
fn with_verifier(app: &ClientApp, verifier: &str) -> ClientApp {
    let pkce = Pkce { verifier: verifier.to_owned(), ..app.pkce.clone() };
    ClientApp { pkce, ..app.clone() }
}

#[tokio::test]
async fn a_pkce_01_02_03_04_05_without_an_s256_challenge_nobody_is_asked_to_sign_in() {
    let server = Server::start().await;
    for app in ["pub", "conf"].map(ClientApp::fixture) {
        let challenge = &app.pkce.challenge;
        let before = server.contents();
        for wrong in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge", "")],
            &[("code_challenge", challenge), ("code_challenge_method", "")],
            &[("code_challenge", challenge), ("code_challenge_method", "plain")],
            &[("code_challenge", &app.pkce.verifier), ("code_challenge_method", "plain")],
            &[("code_challenge_method", "s256")],
            &[("code_challenge_method", "S256 ")],
            &[("code_challenge_method", "S512")],
            &[("code_challenge_method", "S256,plain")],
            &[("code_challenge_method", "none")],
        ] {
            let answer = Browser::new().get(&server, &app.authorize_url(wrong)).await;
            answer.assert_redirected_error("invalid_request", Some("a-state"));
        }
        assert_eq!(server.contents(), before, "G6");
    }
}

#[tokio::test]
async fn a_pkce_06_13_a_challenge_is_43_characters_of_base64url_once() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let before = server.contents();
    let a = |n| "A".repeat(n);
    for wrong in [
        a(42),
        a(44),
        a(128),
        format!("{}=", a(43)),
        format!("{}=", a(42)),
        format!("{}+/", a(41)),
        format!("{}.~", a(41)),
        format!("{} ", a(43)),
        // The last character of 32 bytes has two bits to spare: they are 0, so that a challenge has one spelling.
        format!("{}B", a(42)),
        format!("{}é", a(41)),
    ] {
        let answer = Browser::new().get(&server, &app.authorize_url(&[("code_challenge", &wrong)])).await;
        answer.assert_redirected_error("invalid_request", Some("a-state"));
    }
    for (first, second) in [
        (app.pkce.challenge.as_str(), Pkce::new().challenge.as_str()),
        (&Pkce::new().challenge, &app.pkce.challenge),
        (&app.pkce.challenge, &app.pkce.challenge),
    ] {
        let url = app.authorize_url(&[("code_challenge", first)]);
        let answer = Browser::new().get(&server, &format!("{url}&code_challenge={second}")).await;
        answer.assert_redirected_error("invalid_request", Some("a-state"));
    }
    let url = app.authorize_url(&[]);
    let answer = Browser::new().get(&server, &format!("{url}&code_challenge_method=plain")).await;
    answer.assert_redirected_error("invalid_request", Some("a-state"));
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn a_pkce_07_08_09_12_without_one_well_formed_verifier_there_is_no_token() {
    let server = Server::start().await;
    let mut alice = Browser::new();
    for app in ["pub", "conf", "post"].map(ClientApp::fixture) {
        let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        let before = server.contents();
        let bare = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", app.redirect_uri.as_str()),
        ];
        app.token(&server, &bare).await.assert_refused("invalid_request");
        let verifier = &app.pkce.verifier;
        for wrong in [
            "".to_owned(),
            verifier[..42].to_owned(),
            format!("{verifier}{}", "a".repeat(86)),
            format!("{}+", &verifier[..42]),
            format!("{verifier}="),
            format!("{verifier} "),
            format!("{verifier}\n"),
            format!("{verifier}é"),
        ] {
            let answer = with_verifier(&app, &wrong).redeem(&server, &code, &[]).await;
            answer.assert_refused("invalid_request");
        }
        // A NUL inside, which the form itself cannot have.
        let form = format!(
            "grant_type=authorization_code&client_id={}&code={code}&code_verifier={verifier}%00",
            app.id
        );
        let answer = server.post("/oauth/token").body("application/x-www-form-urlencoded", form.into_bytes());
        answer.send().await.assert_refused("invalid_request");

        let another = Pkce::new().verifier;
        for (first, second) in [(verifier, &another), (&another, verifier), (verifier, verifier)] {
            let twice = with_verifier(&app, first).redeem(&server, &code, &[("code_verifier", second)]).await;
            twice.assert_refused("invalid_request");
        }
        assert_eq!(server.contents(), before, "G6: and none of it counts as a guess");
        Tokens::of(&app.redeem(&server, &code, &[]).await);
    }
}

#[tokio::test]
async fn a_pkce_10_11_the_challenge_is_no_answer_to_itself_whatever_method_is_named_now() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let overheard = with_verifier(&app, &app.pkce.challenge);
    overheard.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    overheard
        .redeem(
            &server,
            &code,
            &[("code_challenge_method", "plain"), ("code_challenge", &app.pkce.challenge)],
        )
        .await
        .assert_refused("invalid_grant");
    assert_eq!(server.value::<i64>("select count(*) from grants"), 0);
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_pkce_14_16_four_wrong_verifiers_are_suffered_and_five_kill_the_code() {
    let server = Server::start().await;
    let mut alice = Browser::new();
    for app in ["pub", "conf"].map(ClientApp::fixture) {
        for (wrong, survives) in [(4, true), (5, false), (6, false)] {
            let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
            for _ in 0..wrong {
                let guess = with_verifier(&app, &Pkce::new().verifier);
                guess.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
            }
            let answer = app.redeem(&server, &code, &[]).await;
            if survives {
                Tokens::of(&answer);
            } else {
                answer.assert_refused("invalid_grant");
                assert_eq!(server.audit()[0].3["reason"], "code_burnt");
            }
        }
    }
    // Only this code is dead: the next one is as good as ever.
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_pkce_15_the_challenge_is_the_requests_whatever_the_forms_on_the_way_say() {
    let server = Server::start().await;
    let (app, attacker) = (ClientApp::fixture("pub"), Pkce::new());
    let mut alice = Browser::new();
    let tampered = async |browser: &mut Browser, page: &Answer, path: &str, more: &[(&str, &str)]| {
        let token = page.field("form_token").expect("a form");
        let authorization = page.field("authorization").expect("its request");
        let mut fields = vec![
            ("form_token", token.as_str()),
            ("authorization", &authorization),
            ("code_challenge", &attacker.challenge),
            ("code_challenge_method", "S256"),
        ];
        fields.extend_from_slice(more);
        browser.post(&server, path, &fields).await
    };
    let login = alice.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    // Time passes at the form, and the page is fetched again.
    server.advance(600);
    let login_again =
        alice.go(&server, &format!("/login?authorization={}", login.field("authorization").unwrap())).await;
    let credentials = [("username", "alice"), ("password", PASSWORD)];
    let signed_in = tampered(&mut alice, &login_again, "/login", &credentials).await;
    let consent = alice.go(&server, &signed_in.location()).await;
    let allowed = tampered(&mut alice, &consent, "/consent", &[("decision", "allow")]).await;
    let location = format!("{}&code_challenge={}", allowed.location(), attacker.challenge);
    let code = alice.go(&server, &location).await.location_param("code").expect("a code");
    let thief = ClientApp { pkce: attacker, ..app.clone() };
    thief.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}
