//! Wire to transactions: whatever the way to the capture does to the frames, the transactions are the ones that were
//! exchanged. Disorder and duplicates change nothing; loss leaves a subset and halves, never a wrong pair.

mod support;

use apitap::http::{Field, Marks, Transaction};
use proptest::prelude::*;
use support::conversation::{Frames, Script, Turn, frames_of, scripts};
use support::{Wire, has};

/// A conversation's frames through the stages, one every 20 µs: well within every grace.
fn transactions_of(frames: &Frames) -> Vec<Transaction<u64>> {
    let mut wire = Wire::new();
    for (index, packet) in frames.iter().enumerate() {
        wire.frame(&support::conversation::frame(index as i64 * 20_000, packet));
    }
    let mut transactions = wire.finish();
    transactions.sort_by_key(|transaction| transaction.index);
    transactions
}

/// What must not depend on the way: everything but the times.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    index: u32,
    /// Method, target, length of the body on the wire and as the observer saw it.
    request: Option<(String, String, u64, u64)>,
    /// Status, id, and the same lengths.
    response: Option<(u16, Option<u32>, u64, u64)>,
    marks: Marks,
}

fn fact_of(transaction: &Transaction<u64>) -> Fact {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Fact {
        index: transaction.index,
        request: transaction.request.as_ref().map(|request| {
            (text(request.head.method()), text(request.head.target()), request.body_length, request.report.unwrap_or(0))
        }),
        response: transaction.response.as_ref().map(|response| {
            (response.head.status(), response_id(transaction), response.body_length, response.report.unwrap_or(0))
        }),
        marks: transaction.marks,
    }
}

fn request_id(transaction: &Transaction<u64>) -> Option<u32> {
    std::str::from_utf8(transaction.request.as_ref()?.head.target()).ok()?.strip_prefix("/id/")?.parse().ok()
}

/// Responses carry the id of their request in `Location`.
fn response_id(transaction: &Transaction<u64>) -> Option<u32> {
    let location = transaction.response.as_ref()?.head.get(Field::Location)?;
    std::str::from_utf8(location).ok()?.strip_prefix("/id/")?.parse().ok()
}

/// The transactions as they were written into the script.
fn expected(script: &Script) -> Vec<Fact> {
    let expectation = |(index, turn): (usize, &Turn)| Fact {
        index: index as u32,
        request: Some((turn.method.to_string(), format!("/id/{}", turn.id), turn.request_length, turn.request_length)),
        response: Some((turn.status, Some(turn.id), turn.response_length(), turn.response_length())),
        marks: Marks::none(),
    };
    script.turns.iter().enumerate().map(expectation).collect()
}

/// Checks every transaction that came out of a lossy way against the script.
fn check_subset(script: &Script, transactions: &[Transaction<u64>]) -> Result<(), TestCaseError> {
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    for transaction in transactions {
        let fact = fact_of(transaction);
        let (asked, answered) = (request_id(transaction), response_id(transaction));
        let turn_of = |id: u32| script.turns.iter().find(|turn| turn.id == id);
        if transaction.request.is_some() {
            let turn = asked.and_then(turn_of);
            prop_assert!(turn.is_some(), "an invented request: {:?}", fact);
            prop_assert_eq!(
                turn.map(|turn| turn.method.as_bytes()),
                transaction.request.as_ref().map(|r| r.head.method())
            );
            requests.extend(asked);
        }
        // An interim response stands for the answer where the final one was lost.
        if transaction.response.as_ref().is_some_and(|response| response.head.status() != 100) {
            let turn = answered.and_then(turn_of);
            prop_assert!(
                turn.is_some_and(|turn| turn.status == fact.response.as_ref().map_or(0, |r| r.0)),
                "an invented response: {:?}",
                fact
            );
            responses.extend(answered);
        }
        match (asked, answered) {
            (Some(asked), Some(answered)) => {
                prop_assert_eq!(asked, answered, "a wrong pair: {:?}", fact);
                let turn = turn_of(asked).expect("checked above");
                let is_whole = !has(transaction, Marks::GAP_IN_BODY) && !has(transaction, Marks::INCOMPLETE);
                if is_whole {
                    prop_assert_eq!(transaction.request.as_ref().map(|r| r.body_length), Some(turn.request_length));
                    prop_assert_eq!(transaction.response.as_ref().map(|r| r.body_length), Some(turn.response_length()));
                }
            }
            (Some(_), None) => prop_assert!(transaction.response.is_some() || has(transaction, Marks::REQUEST_ONLY)),
            (None, _) => prop_assert!(has(transaction, Marks::RESPONSE_ONLY)),
        }
    }
    for mut ids in [requests, responses] {
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "a message came out twice");
    }
    Ok(())
}

/// Brings frames into another order: each falls behind by up to its number of places. `fixed` frames stay in front.
fn disorder(frames: &Frames, fixed: usize, lag: &[u8], copies: &[u8]) -> Frames {
    let mut placed: Vec<(usize, Vec<u8>)> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let late = |by: u8| if index < fixed { index } else { index + usize::from(by) };
        let choose = |list: &[u8]| list.get(index % list.len().max(1)).copied().unwrap_or(0);
        placed.push((late(choose(lag)), frame.clone()));
        let copy = choose(copies);
        if copy > 0 {
            placed.push((late(copy), frame.clone()));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, frame)| frame).collect()
}

fn without_pipelining(mut script: Script) -> Script {
    for turn in &mut script.turns {
        turn.is_pipelined = false;
    }
    script
}

/// Moderate in the suite; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases: 400, ..default } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_segmentation_gives_the_transactions_that_were_exchanged(script in scripts(true)) {
        let found: Vec<Fact> = transactions_of(&frames_of(&script)).iter().map(fact_of).collect();
        prop_assert_eq!(found, expected(&script));
    }

    #[test]
    fn disorder_and_duplicates_change_nothing(
        script in scripts(true),
        lag in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => 0u8..40], 1..60),
        copies in prop::collection::vec(prop_oneof![4 => Just(0u8), 1 => 1u8..40], 1..60),
    ) {
        let frames = disorder(&frames_of(&script), 2, &lag, &copies);
        let found: Vec<Fact> = transactions_of(&frames).iter().map(fact_of).collect();
        prop_assert_eq!(found, expected(&script));
    }

    /// The handshake arrives, so positions are known; bodies try to pass for messages.
    #[test]
    fn loss_leaves_a_subset_and_halves_but_invents_and_mispairs_nothing(
        script in scripts(true),
        lost in prop::collection::vec(prop::bool::weighted(0.2), 1..60),
        lag in prop::collection::vec(prop_oneof![5 => Just(0u8), 1 => 0u8..10], 1..60),
    ) {
        let frames = frames_of(&script);
        let kept = |(index, frame): (usize, &Vec<u8>)| (index < 2 || !lost[index % lost.len()]).then(|| frame.clone());
        let frames = disorder(&frames.iter().enumerate().filter_map(kept).collect(), 2, &lag, &[0]);
        check_subset(&script, &transactions_of(&frames))?;
    }

    /// Any frames are lost, the handshake too: the capture begins and ends anywhere. (Where it begins between the
    /// requests of a client that pipelines, nothing on the wire tells which of them the next response answers.)
    #[test]
    fn a_capture_of_a_part_gives_a_part(
        script in scripts(false).prop_map(without_pipelining),
        lost in prop::collection::vec(prop::bool::weighted(0.2), 1..60),
        start in 0usize..40,
    ) {
        let frames = frames_of(&script);
        let kept = |(index, frame): (usize, &Vec<u8>)| (index >= start && !lost[index % lost.len()]).then(|| frame.clone());
        let frames = frames.iter().enumerate().filter_map(kept).collect();
        check_subset(&script, &transactions_of(&frames))?;
    }

    #[test]
    fn one_direction_alone_gives_its_halves(script in scripts(false), is_client in any::<bool>()) {
        let frames: Frames = frames_of(&script)
            .into_iter()
            .filter(|frame| support::conversation::is_from_client(frame) == is_client)
            .collect();
        let transactions = transactions_of(&frames);
        check_subset(&script, &transactions)?;
        // Without its request, the response to a HEAD cannot be told from one with a body, but by a change of turn.
        let is_pipelined = |turns: &[Turn]| turns[0].method == "HEAD" && turns[1].is_pipelined;
        if is_client || !script.turns.windows(2).any(is_pipelined) {
            prop_assert_eq!(transactions.len(), script.turns.len());
        }
        let half = if is_client { Marks::REQUEST_ONLY } else { Marks::RESPONSE_ONLY };
        prop_assert!(transactions.iter().all(|transaction| has(transaction, half)));
    }
}

#[test]
fn a_loss_costs_only_the_transactions_it_touches() {
    let script = support::conversation::plain_script(20);
    let frames = frames_of(&script);
    for lost in 2..frames.len() {
        let mut kept = frames.clone();
        kept.remove(lost);
        let transactions = transactions_of(&kept);
        let pairs = transactions.iter().filter(|t| t.request.is_some() && t.response.is_some()).count();
        assert!(pairs >= 19, "frame {lost} lost: {pairs} pairs");
        check_subset(&script, &transactions).unwrap();
    }
}

/// The requests are lost that the last responses answer, and nothing comes behind them that would make it a gap: what
/// follows a response to HEAD must not be read in the middle.
#[test]
fn a_response_to_a_lost_head_request_does_not_swallow_the_next_one() {
    let turn = |id, method, status, announced_length, is_pipelined, is_hostile| Turn {
        id,
        method,
        request_length: 0,
        request_is_chunked: false,
        status,
        announced_length,
        response_is_chunked: is_hostile,
        continues: false,
        is_pipelined,
        is_hostile,
    };
    let script = Script {
        turns: vec![
            turn(1, "GET", 200, 81, false, false),
            turn(2, "GET", 204, 0, false, false),
            turn(3, "HEAD", 200, 75, false, false),
            turn(4, "GET", 200, 12, true, true),
            turn(5, "GET", 200, 0, true, false),
        ],
        initial: [0, 0],
        segments: vec![1, 5, 21, 4, 141, 166, 13],
        acknowledge: vec![true, false, false, true],
    };
    let mut frames = frames_of(&script);
    frames.remove(19);
    let transactions = transactions_of(&frames);
    assert_eq!(transactions.len(), 3);
    check_subset(&script, &transactions).unwrap();
}
