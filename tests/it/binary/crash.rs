//! SIGKILL in the middle of refreshes: what was answered stays true.

use std::fs;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::harness::Serving;

const GRANTS: usize = 8;
/// After so many acknowledged refreshes comes the kill, each time on the file that the one before left.
const ROUNDS: [usize; 6] = [1, 17, 58, 9, 113, 40];

/// A client with a grant, and the refresh token that it has to believe in: the last that it was given.
#[derive(Clone)]
struct Holder {
    client_id: String,
    token: String,
}

impl Holder {
    /// Refreshes on one connection until that breaks, and tells of each token that it has.
    async fn go_on(mut self, address: SocketAddr, acknowledged: UnboundedSender<()>) -> Self {
        let Ok(mut wire) = Wire::open(address).await else { return self };
        // No answer, or half of one: the client knows nothing of a next token, and tries again with this one.
        while let Ok(answer) = refresh(&mut wire, &self.client_id, &self.token).await {
            assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
            self.token = text(&answer.json(), "refresh_token");
            // Nobody counts any more once the server is killed.
            let _ = acknowledged.send(());
        }
        self
    }

    /// The refresh that a client makes when it comes back: it must work, and a second try must bring the same.
    async fn come_back(&mut self, wire: &mut Wire) {
        let mut next = Vec::new();
        for _ in 0..2 {
            let answer = refresh(wire, &self.client_id, &self.token).await.expect("an answer");
            assert_eq!(answer.status.as_u16(), 200, "an acknowledged token is lost: {}", answer.text());
            next.push(text(&answer.json(), "refresh_token"));
        }
        assert_eq!(next[0], next[1], "a repeated refresh brings the same successor");
        assert_ne!(next[0], self.token);
        self.token = next.remove(0);
    }

    async fn revoke(&self, wire: &mut Wire) {
        let fields = [("token", self.token.as_str()), ("client_id", &self.client_id)];
        let answer = wire.post("/oauth/revoke", &[], &fields).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    }

    async fn is_refused(&self, wire: &mut Wire) {
        let answer = refresh(wire, &self.client_id, &self.token).await.expect("an answer");
        answer.assert_refused("invalid_grant");
    }
}

/// What was acknowledged just before the kill, besides refreshes.
struct Acknowledged {
    revoked: Holder,
    redeemed: Code,
    its_token: Holder,
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_the_middle_of_refreshes_loses_nothing_that_was_acknowledged() {
    let house = House::new();
    let mut server = house.serve("127.0.0.1:0", &[]);
    house.ok(&["resource", "add", RESOURCE, "--scopes", "read"], "");
    house.ok(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let client_id = add_client(&house);
    let mut alice = Person::new(server.address, &server.issuer, "alice", PASSWORD);
    let mut holders = Vec::new();
    for _ in 0..GRANTS {
        holders.push(new_holder(&mut alice, &client_id).await);
    }
    for kill_after in ROUNDS {
        let acknowledged;
        (holders, acknowledged) = refresh_until_killed(server, &mut alice, holders, kill_after).await;
        is_whole_as_it_was_left(&house);
        server = start_again(&house, alice.address);
        alice.address = server.address;
        let mut wire = connect(server.address).await;
        for holder in &mut holders {
            holder.come_back(&mut wire).await;
        }
        is_still_true(acknowledged, &mut wire).await;
    }
    let grants = house.json(&["grant", "list"]);
    assert_eq!(grants.as_array().map(Vec::len), Some(GRANTS), "those that were revoked are gone: {grants}");
    server.program.kill();
    assert_eq!(integrity(&house.path("vestibule.db")), "ok");
}

async fn new_holder(person: &mut Person, client_id: &str) -> Holder {
    let code = Code::from(person, client_id).await;
    let token = code.refresh_token(&mut connect(person.address).await).await;
    Holder { client_id: client_id.to_owned(), token }
}

/// All refresh as fast as they can; when so many refreshes are acknowledged, one grant is revoked, one code redeemed,
/// and the server killed.
async fn refresh_until_killed(
    server: Serving,
    person: &mut Person,
    holders: Vec<Holder>,
    kill_after: usize,
) -> (Vec<Holder>, Acknowledged) {
    let client_id = holders[0].client_id.clone();
    let revoked = new_holder(person, &client_id).await;
    let redeemed = Code::from(person, &client_id).await;
    let mut wire = connect(server.address).await;
    let (acknowledge, mut acknowledged) = unbounded_channel();
    let running: Vec<_> = holders
        .into_iter()
        .map(|holder| tokio::spawn(holder.go_on(server.address, acknowledge.clone())))
        .collect();
    // Else the count would wait for ever if all of them had failed.
    drop(acknowledge);
    for _ in 0..kill_after {
        acknowledged.recv().await.expect("somebody refreshes");
    }
    revoked.revoke(&mut wire).await;
    let token = redeemed.refresh_token(&mut wire).await;
    server.program.kill();
    let mut holders = Vec::new();
    for one in running {
        holders.push(one.await.expect("every refresh was answered with a token"));
    }
    (holders, Acknowledged { revoked, redeemed, its_token: Holder { client_id, token } })
}

/// A copy, so that it is the server and not this look at it that recovers the file.
fn is_whole_as_it_was_left(house: &House) {
    let copy = tempfile::tempdir().expect("a directory");
    for name in ["vestibule.db", "vestibule.db-wal"] {
        fs::copy(house.path(name), copy.path().join(name)).expect("a killed server leaves both");
    }
    assert_eq!(integrity(&copy.path().join("vestibule.db")), "ok");
}

/// On the same port, unless a neighbour got it in between: the issuer is in the file, so that matters to nobody.
fn start_again(house: &House, address: SocketAddr) -> Serving {
    let listen = match std::net::TcpListener::bind(address) {
        Ok(_) => address.to_string(),
        Err(_) => "127.0.0.1:0".to_owned(),
    };
    house.serve(&listen, &[])
}

async fn is_still_true(mut acknowledged: Acknowledged, wire: &mut Wire) {
    acknowledged.revoked.is_refused(wire).await;
    // First that the redemption's own grant lives; then the replay, which ends it.
    acknowledged.its_token.come_back(wire).await;
    acknowledged.redeemed.redeem(wire).await.assert_refused("invalid_grant");
    acknowledged.its_token.is_refused(wire).await;
}
