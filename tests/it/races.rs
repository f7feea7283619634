//! What happens at one moment: every request is held back behind a barrier, over a connection that is open already. No
//! test here says who wins; each says what holds whoever does.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, Browser, ClientApp, Crowd, Pkce, R1, Server, Tokens};

const CALLERS: usize = 50;
const ROUNDS: usize = 20;
const FOR_R1: &[(&str, &str)] = &[("resource", R1)];

/// The tokens of those who got some; everybody else was refused with this word.
fn successes(answers: &[Answer], refusal: &str) -> Vec<Tokens> {
    let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    refused.into_iter().for_each(|answer| answer.assert_refused(refusal));
    good.into_iter().map(Tokens::of).collect()
}

/// Asserts that a client has nothing left of these tokens.
async fn assert_dead(server: &Server, conf: &ClientApp, tokens: &[&Tokens]) {
    for tokens in tokens {
        conf.refresh(server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
        assert_eq!(conf.introspect(server, &tokens.access).await, json!({ "active": false }));
    }
    assert_eq!(server.value::<i64>("select count(*) from grants where revoked_at is null"), 0);
}

/// Fifty redeem one code, all of them rightly: one gets tokens. The others are replays that are right in everything, so
/// by D1 of the catalogue the grant has ended when all have been answered, in every order.
async fn fifty_redeem_one_code(servers: &[&Server]) {
    let (server, conf) = (servers[0], ClientApp::fixture("conf"));
    let mut alice = Browser::signed_in(server, "alice").await;
    let mut crowd = Crowd::open(servers, CALLERS).await;
    for round in 1..=ROUNDS {
        let code = conf.code(server, &mut alice, "alice", FOR_R1).await;
        let requests = (0..CALLERS).map(|_| conf.redemption(server, &code, &[])).collect();
        let tokens = successes(&crowd.ask(requests).await, "invalid_grant");
        assert_eq!(tokens.len(), 1, "round {round}");
        assert_eq!(server.value::<i64>("select count(*) from grants"), round as i64);
        assert_dead(server, &conf, &[&tokens[0]]).await;
    }
    let replays = "select count(*) from audit_logs where event = 'oauth.token.replay'";
    assert_eq!(server.value::<i64>(replays), (ROUNDS * (CALLERS - 1)) as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_05_fifty_parallel_redemptions_one_success() {
    let server = Server::start().await;
    fifty_redeem_one_code(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_07_fifty_parallel_redemptions_at_two_servers_one_success() {
    let server = Server::start().await;
    let twin = server.twin().await;
    fifty_redeem_one_code(&[&server, &twin]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_04_strangers_in_the_race_neither_win_nor_end_what_the_owner_won() {
    let server = Server::start().await;
    let (conf, post) = (ClientApp::fixture("conf"), ClientApp::fixture("post"));
    let mut alice = Browser::signed_in(&server, "alice").await;
    let mut crowd = Crowd::open(&[&server], CALLERS).await;
    for round in 0..ROUNDS {
        let code = conf.code(&server, &mut alice, "alice", FOR_R1).await;
        let thief = ClientApp { id: post.id.clone(), pkce: conf.pkce.clone(), ..conf.clone() };
        let owner = round * 7 % CALLERS;
        let requests =
            (0..CALLERS).map(|at| if at == owner { &conf } else { &thief }.redemption(&server, &code, &[]));
        let answers = crowd.ask(requests.collect()).await;
        let tokens = successes(&answers, "invalid_grant");
        assert_eq!(tokens.len(), 1, "round {round}");
        assert_eq!(tokens[0].claims["client_id"], "conf");
        assert_eq!(conf.introspect(&server, &tokens[0].access).await["active"], true);
        Tokens::of(&conf.refresh(&server, tokens[0].refresh(), &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pkce_16_guesses_at_once_are_counted_one_by_one() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let guesser = || ClientApp { pkce: Pkce::new(), ..app.clone() };
    let mut alice = Browser::signed_in(&server, "alice").await;
    let (mut few, mut many) = (Crowd::open(&[&server], 5).await, Crowd::open(&[&server], CALLERS).await);
    for round in 0..ROUNDS {
        // Four guesses and the right one: no order of theirs kills the code.
        let code = app.code(&server, &mut alice, "alice", FOR_R1).await;
        let requests = (0..5).map(|at| {
            let one = if at == round % 5 { app.clone() } else { guesser() };
            one.redemption(&server, &code, &[])
        });
        assert_eq!(successes(&few.ask(requests.collect()).await, "invalid_grant").len(), 1, "round {round}");
    }
    let code = app.code(&server, &mut alice, "alice", FOR_R1).await;
    let requests = (0..CALLERS).map(|_| guesser().redemption(&server, &code, &[])).collect();
    assert!(successes(&many.ask(requests).await, "invalid_grant").is_empty());
    assert_eq!(server.value::<i64>("select max(wrong_verifiers) from authorization_codes"), 5);
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
}

/// Fifty refresh with one token, as processes that share it do: all are given the same successor, and the grant is one
/// generation on.
async fn fifty_refresh_with_one_token(servers: &[&Server]) {
    let (server, app) = (servers[0], ClientApp::fixture("pub"));
    let mut token = app.tokens(server, "alice", FOR_R1).await.refresh().to_owned();
    let mut crowd = Crowd::open(servers, CALLERS).await;
    for round in 1..=ROUNDS {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let requests = (0..CALLERS).map(|_| app.token_request(server, &fields)).collect();
        let tokens = successes(&crowd.ask(requests).await, "invalid_grant");
        assert_eq!(tokens.len(), CALLERS, "round {round}");
        let successors: BTreeSet<_> = tokens.iter().map(Tokens::refresh).collect();
        assert_eq!(successors.len(), 1, "round {round}");
        let ids: BTreeSet<_> = tokens.iter().map(|tokens| tokens.claims["jti"].to_string()).collect();
        assert_eq!(ids.len(), CALLERS, "each access token is its own");
        assert_eq!(server.value::<i64>("select generation from grants"), round as i64 + 1);
        assert!(!successors.contains(token.as_str()));
        token = tokens[0].refresh().to_owned();
    }
    assert_eq!(server.value::<i64>("select count(*) from grants where revoked_at is null"), 1);
    Tokens::of(&app.refresh(server, &token, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rt_04_fifty_parallel_refreshes_one_successor() {
    let server = Server::start().await;
    fifty_refresh_with_one_token(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rt_05_fifty_parallel_refreshes_at_two_servers_one_successor() {
    let server = Server::start().await;
    let twin = server.twin().await;
    fifty_refresh_with_one_token(&[&server, &twin]).await;
}

/// What can end a grant while its client refreshes.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// The client revokes its token (RFC 7009).
    Revocation,
    /// A thief presents a token that was spent long ago.
    SpentToken,
    /// A thief redeems the code again.
    CodeReplay,
}

/// An ending among many refreshes: whatever comes first, the grant has ended, and nothing that was given out in the
/// race outlives it.
async fn end_while_refreshing(servers: &[&Server], ending: Ending) {
    const REFRESHES: usize = 7;
    let (server, conf) = (servers[0], ClientApp::fixture("conf"));
    let mut alice = Browser::signed_in(server, "alice").await;
    let mut crowd = Crowd::open(servers, REFRESHES + 1).await;
    for round in 0..ROUNDS {
        let code = conf.code(server, &mut alice, "alice", FOR_R1).await;
        let first = Tokens::of(&conf.redeem(server, &code, &[]).await);
        let second = Tokens::of(&conf.refresh(server, first.refresh(), &[]).await);
        server.advance(61);
        let refresh = |token: &str| {
            conf.token_request(server, &[("grant_type", "refresh_token"), ("refresh_token", token)])
        };
        let mut requests: Vec<_> = (0..REFRESHES).map(|_| refresh(second.refresh())).collect();
        let secret = conf.secret.as_deref().expect("conf has one");
        let place = round % (REFRESHES + 1);
        requests.insert(
            place,
            match ending {
                Ending::Revocation => {
                    let asked = server.post("/oauth/revoke").basic(&conf.id, secret);
                    asked.form(&[("token", second.refresh())])
                }
                Ending::SpentToken => refresh(first.refresh()),
                Ending::CodeReplay => conf.redemption(server, &code, &[]),
            },
        );
        let mut answers = crowd.ask(requests).await;
        let ended = answers.remove(place);
        match ending {
            Ending::Revocation => assert_eq!(ended.status.as_u16(), 200, "round {round}"),
            Ending::SpentToken | Ending::CodeReplay => ended.assert_refused("invalid_grant"),
        }
        let tokens = successes(&answers, "invalid_grant");
        let successors: BTreeSet<_> = tokens.iter().map(Tokens::refresh).collect();
        assert!(successors.len() <= 1, "round {round}: the family has no fork");
        assert_dead(server, &conf, &[&first, &second]).await;
        assert_dead(server, &conf, &tokens.iter().collect::<Vec<_>>()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rt_15_a_revocation_among_refreshes_always_has_the_last_word() {
    let server = Server::start().await;
    end_while_refreshing(&[&server], Ending::Revocation).await;
    let twin = server.twin().await;
    end_while_refreshing(&[&server, &twin], Ending::Revocation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rt_23_a_replay_among_the_owners_rotations_always_has_the_last_word() {
    let server = Server::start().await;
    end_while_refreshing(&[&server], Ending::SpentToken).await;
    let twin = server.twin().await;
    end_while_refreshing(&[&server, &twin], Ending::SpentToken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_01_a_code_replay_among_refreshes_always_has_the_last_word() {
    let server = Server::start().await;
    end_while_refreshing(&[&server], Ending::CodeReplay).await;
}

/// The consent form, twice at one moment, and then the way back to the client, twice at one moment.
async fn consent_is_sent_twice(decisions: [&str; 2]) {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut crowd = Crowd::open(&[&server], 2).await;
    let mut bob = Browser::signed_in(&server, "bob").await;
    for round in 1..=ROUNDS {
        // Asked again each time, although it was allowed before.
        let url = app.authorize_url(&[("resource", R1), ("prompt", "consent")]);
        let page = bob.go(&server, &url).await;
        let (token, id) =
            (page.field("form_token").expect("a form"), page.field("authorization").expect("its id"));
        let cookie = bob.cookie();
        let submit = |decision| {
            let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", decision)];
            server
                .post("/consent")
                .header("accept", "text/html")
                .header("cookie", &cookie)
                .header("sec-fetch-site", "same-origin")
                .form(&fields)
        };
        let sent = crowd.ask(decisions.map(submit).into()).await;
        let onward = sent.iter().map(|answer| {
            assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
            server.get(&answer.location()).header("accept", "text/html").header("cookie", &cookie)
        });
        let answers = crowd.ask(onward.collect()).await;
        let (back, stopped): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.header("location").is_some());
        assert!(back[0].location().starts_with("https://app.test/cb?"), "{}", back[0].location());
        let codes: i64 = server.value("select count(*) from authorization_codes");
        if back[0].location_param("code").is_some() {
            assert!(decisions.contains(&"allow"));
            assert_eq!((back.len(), back[0].location()), (2, back[1].location()), "round {round}");
        } else {
            assert_eq!((back.len(), stopped.len()), (1, 1), "round {round}");
            stopped[0].assert_problem_page(400);
            back[0].assert_redirected_error("access_denied", Some("a-state"));
            assert!(decisions.contains(&"deny"));
        }
        if decisions == ["allow"; 2] {
            assert_eq!(codes, round as i64);
            let code = back[0].location_param("code").expect("a code");
            Tokens::of(&app.redeem(&server, &code, &[]).await);
        } else {
            let denials = "select count(*) from audit_logs
                           where event = 'oauth.authorize.refused' and metadata like '%access_denied%'";
            assert_eq!(codes + server.value::<i64>(denials), round as i64, "one or the other, never both");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_22_consent_submitted_twice_at_once_gives_one_code() {
    consent_is_sent_twice(["allow", "allow"]).await;
}

/// Twenty visits of one answered request at one moment, as browsers that retry would make them.
async fn the_way_back_is_visited_by_twenty(servers: &[&Server]) {
    const VISITS: usize = 20;
    let (server, app) = (servers[0], ClientApp::fixture("nat"));
    let mut crowd = Crowd::open(servers, VISITS).await;
    let mut alice = Browser::signed_in(server, "alice").await;
    for round in 1..=ROUNDS {
        let page = alice.go(server, &app.authorize_url(&[("resource", R1)])).await;
        let (token, id) =
            (page.field("form_token").expect("a form"), page.field("authorization").expect("its id"));
        let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
        let onward = alice.post(server, "/consent", &fields).await.location();
        let cookie = alice.cookie();
        let visit = || server.get(&onward).header("accept", "text/html").header("cookie", &cookie);
        let answers = crowd.ask((0..VISITS).map(|_| visit()).collect()).await;
        let urls: BTreeSet<_> = answers.iter().map(Answer::location).collect();
        assert_eq!(urls.len(), 1, "round {round}: {urls:?}");
        let code = answers[0].location_param("code").expect("a code");
        assert_eq!(server.value::<i64>("select count(*) from authorization_codes"), round as i64);
        let granted = "select count(*) from audit_logs where event = 'oauth.authorize.granted'";
        assert_eq!(server.value::<i64>(granted), round as i64, "one decision");

        // Among more visits the code is redeemed: each of them comes before or after.
        let mut requests: Vec<_> = (1..VISITS).map(|_| visit()).collect();
        let place = round % VISITS;
        requests.insert(place, app.redemption(server, &code, &[]));
        let mut answers = crowd.ask(requests).await;
        let tokens = Tokens::of(&answers.remove(place));
        for answer in answers {
            match answer.header("location") {
                Some(url) => assert!(urls.contains(url), "round {round}: {url}"),
                None => answer.assert_problem_page(400),
            }
        }
        for answer in crowd.ask((0..VISITS).map(|_| visit()).collect()).await {
            answer.assert_problem_page(400);
        }
        assert_eq!(server.value::<i64>("select count(*) from authorization_codes"), round as i64);
        assert_eq!(server.value::<i64>("select count(*) from grants"), round as i64);
        Tokens::of(&app.refresh(server, tokens.refresh(), &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_22_twenty_visits_of_one_answered_request_one_code() {
    let server = Server::start().await;
    the_way_back_is_visited_by_twenty(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_22_twenty_visits_at_two_servers_one_code() {
    let server = Server::start().await;
    let twin = server.twin().await;
    the_way_back_is_visited_by_twenty(&[&server, &twin]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_22_yes_and_no_at_once_is_one_of_the_two() {
    consent_is_sent_twice(["allow", "deny"]).await;
}
