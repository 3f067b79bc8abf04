//! The commit protocol in a small world, in every order that things can happen: what is visible is always exactly a prefix.
//!
//! The world has a log of two rows, a ledger that fences, a store of checkpoints, one sink whose rows are committed with the
//! ledger and one whose rows are staged with checkpoints. Up to two processes run the same shard; each may crash between any two
//! steps, lose the answer to a commit (which was done, or was not), fail to write a checkpoint, be stopped, or go on as a zombie
//! after the other has taken over. Every state that can be reached is looked at once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, HashSet, VecDeque};

use sluicegate_checkpoint::protocol::{Action, Event, Last, Protocol, Refusal, Rules};
use sluicegate_core::{CheckpointRef, Commit, Offset};

const ROWS: i64 = 2;
/// Crashes, lost answers, failed writes and zombies in one history: more of them only repeat what fewer show.
const MISHAPS_MAX: u8 = 2;

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    committed: Option<Commit>,
    /// Who may commit.
    owner: u8,
    /// Rows that others see of the transactional and of the staged sink.
    visible: i64,
    published: i64,
    /// Position of each durable checkpoint, and whether it is the first of its line.
    checkpoints: BTreeMap<String, (i64, bool)>,
    next_name: u8,
    processes: Vec<Process>,
    next_owner: u8,
    mishaps: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Process {
    owner: u8,
    protocol: Protocol,
    todo: VecDeque<Action>,
    /// Rows read so far, and those of them in the open transaction.
    position: i64,
    unflushed: i64,
    suppress_until: i64,
    running: bool,
    held: bool,
    over: bool,
    checkpointed: i64,
    /// The position of the last snapshot that sinks made.
    snapshot: i64,
    /// It has read or written a checkpoint, so that the next one continues a line.
    in_line: bool,
}

impl Process {
    fn new(owner: u8, rules: Rules) -> Self {
        let mut protocol = Protocol::new(rules);
        let todo = protocol.on(Event::Started).unwrap().into();
        Self {
            owner,
            protocol,
            todo,
            position: 0,
            unflushed: 0,
            suppress_until: 0,
            running: false,
            held: false,
            over: false,
            checkpointed: 0,
            snapshot: 0,
            in_line: false,
        }
    }

    fn told(mut self, event: Event) -> Self {
        let actions = self.protocol.on(event).unwrap_or_else(|error| panic!("{error}"));
        self.todo.extend(actions);
        self
    }
}

/// All worlds that may come next.
fn successors(world: &World, rules: Rules) -> Vec<World> {
    let mut next = Vec::new();
    for index in 0..world.processes.len() {
        let process = &world.processes[index];
        let mut go = |change: &dyn Fn(&mut World, Process) -> Process| {
            let mut world = world.clone();
            let process = world.processes[index].clone();
            let process = change(&mut world, process);
            if process.over {
                world.processes.remove(index);
            } else {
                world.processes[index] = process;
            }
            next.push(world);
        };
        for place in ready(process) {
            act(world, rules, process, place, &mut go);
        }
        if process.running
            && !process.held
            && !process.todo.iter().any(|action| *action == Action::Run || gives_up(action))
        {
            read(process, rules, &mut go);
        }
        if world.mishaps < MISHAPS_MAX {
            go(&|world, mut process| {
                world.mishaps += 1;
                process.over = true;
                process
            });
        }
    }
    // Another process takes the shard over, when there is none, or (a mishap) while one still runs.
    let zombie = !world.processes.is_empty();
    if world.processes.len() < 2 && (!zombie || world.mishaps < MISHAPS_MAX) && world.next_owner < 3 {
        let mut world = world.clone();
        world.mishaps += u8::from(zombie);
        world.next_owner += 1;
        world.processes.push(Process::new(world.next_owner, rules));
        next.push(world);
    }
    next
}

/// Nothing follows this action but another process, or the same anew.
fn gives_up(action: &Action) -> bool {
    matches!(action, Action::Restart | Action::Refuse(_) | Action::Finish)
}

/// Places of the actions that may be carried out now. What runs beside (writes, commits, publications) may end in any order;
/// the rest is done in turn.
fn ready(process: &Process) -> Vec<usize> {
    // What is under way when a process gives up does not matter to it any more.
    if let Some(place) = process.todo.iter().position(gives_up) {
        return vec![place];
    }
    let beside = |action: &Action| {
        matches!(action, Action::Write(_) | Action::Commit(_) | Action::Publish | Action::Prune(_)) && process.running
    };
    let mut places: Vec<usize> = (0..process.todo.len()).filter(|place| beside(&process.todo[*place])).collect();
    if let Some(first) = process.todo.iter().position(|action| !beside(action)) {
        places.push(first);
    }
    places
}

type Go<'a> = dyn FnMut(&dyn Fn(&mut World, Process) -> Process) + 'a;

fn act(world: &World, rules: Rules, process: &Process, place: usize, go: &mut Go<'_>) {
    let mut base = process.clone();
    let action = base.todo.remove(place).unwrap();
    let may_fail = world.mishaps < MISHAPS_MAX;
    match action {
        Action::TakeOver => go(&|world, _| {
            world.owner = process.owner;
            let committed = world.committed.clone();
            let checkpoints = world.checkpoints.values().any(|(_, first)| !first);
            base.clone().told(Event::TookOver { committed, checkpoints })
        }),
        // Whoever took over from this process meanwhile may have pruned what it needed.
        Action::Restore(reference) if !world.checkpoints.contains_key(&reference.name) => {
            assert!(world.owner != process.owner, "a checkpoint that is needed was pruned");
            go(&|_, _| base.clone().told(Event::NothingToRestore));
        }
        Action::Restore(reference) => {
            go(&|_, _| {
                let mut process = base.clone();
                process.checkpointed = reference.position.0;
                process.snapshot = reference.position.0;
                process.in_line = true;
                process.told(Event::Restored(reference.clone()))
            });
        }
        Action::Open { from, suppress_until } => go(&|_, _| {
            let mut process = base.clone();
            process.position = from.map_or(0, |from| from.0);
            process.suppress_until = suppress_until.0;
            process.told(Event::Opened(Offset(process_position(from))))
        }),
        Action::Run => go(&|_, _| Process { running: true, ..base.clone() }),
        Action::Resume => go(&|_, _| Process { held: false, ..base.clone() }),
        Action::RequestBarrier => go(&|_, _| base.clone()),
        Action::Write(position) => {
            go(&|world, _| {
                let name = format!("{:02}", world.next_name);
                world.next_name += 1;
                world.checkpoints.insert(name.clone(), (position.0, !base.in_line));
                let process = Process { in_line: true, ..base.clone() };
                process.told(Event::Written(CheckpointRef { name, position, manifest: String::new() }))
            });
            if may_fail {
                go(&|world, _| {
                    world.mishaps += 1;
                    base.clone().told(Event::WriteFailed)
                });
            }
        }
        Action::Commit(commit) => {
            if world.owner != process.owner {
                go(&|_, _| base.clone().told(Event::Fenced));
                return;
            }
            let done = |world: &mut World| {
                let reference = commit.checkpoint.as_ref();
                if let Some(reference) = reference {
                    let at = world.checkpoints.get(&reference.name).map(|(at, _)| *at);
                    assert_eq!(at, Some(reference.position.0), "a commit names a checkpoint that is not durable");
                    assert!(reference.position <= commit.position, "a commit names a later checkpoint");
                }
                if rules.commits_apart {
                    world.visible += base.unflushed;
                    assert_eq!(world.visible, commit.position.0, "what is committed is not what was written");
                } else {
                    world.visible = commit.position.0;
                }
                world.committed = Some(commit.clone());
            };
            go(&|world, _| {
                done(world);
                Process { unflushed: if rules.commits_apart { 0 } else { base.unflushed }, ..base.clone() }
                    .told(Event::Committed)
            });
            if may_fail {
                for happened in [true, false] {
                    go(&|world, _| {
                        world.mishaps += 1;
                        if happened {
                            done(world);
                        }
                        base.clone().told(Event::CommitLost)
                    });
                }
            }
        }
        Action::Publish => go(&|world, _| {
            // What the last snapshot held: a zombie publishes only what a commit of its own named, which others see anyway.
            world.published = world.published.max(base.snapshot);
            let named = world.committed.as_ref().and_then(|commit| commit.checkpoint.as_ref());
            let committed = named.map_or(0, |reference| reference.position.0);
            assert!(base.snapshot <= committed, "rows are visible whose checkpoint is not committed");
            base.clone().told(Event::Published)
        }),
        Action::Prune(keep) => go(&|world, _| {
            world.checkpoints.retain(|name, _| *name >= keep.name);
            base.clone()
        }),
        Action::Restart => go(&|_, _| Process::new(base.owner, rules)),
        Action::Finish => go(&|_, _| Process { over: true, ..base.clone() }),
        Action::Refuse(why) => {
            let expected = match why {
                Refusal::Fenced => world.owner != process.owner,
                Refusal::LastCheckpointNotWritten => world.mishaps > 0,
                Refusal::CheckpointsAreGone => world.owner != process.owner,
                _ => false,
            };
            assert!(expected, "refused for no reason: {why:?}");
            go(&|_, _| Process { over: true, ..base.clone() });
        }
    }
}

fn process_position(from: Option<Offset>) -> i64 {
    from.map_or(0, |from| from.0)
}

/// A running process reads a row, or meets a barrier.
fn read(process: &Process, rules: Rules, go: &mut Go<'_>) {
    let replays = process.position < process.suppress_until;
    if process.position < ROWS {
        go(&|_, mut process| {
            process.unflushed += i64::from(!replays);
            process.position += 1;
            process
        });
    }
    if replays {
        return;
    }
    let meet = |go: &mut Go<'_>, checkpoint: bool, last: Option<Last>| {
        go(&|_, mut process| {
            process.held = true;
            if checkpoint {
                process.checkpointed = process.position;
                process.snapshot = process.position;
            }
            let position = Offset(process.position);
            process.told(Event::Aligned { position, checkpoint, last })
        });
    };
    meet(go, false, None);
    let busy = process.todo.iter().any(|action| matches!(action, Action::Write(_) | Action::Publish));
    if process.protocol.may_checkpoint() && process.position > process.checkpointed && !busy {
        meet(go, true, None);
    }
    // Readers hold the last barrier back as they do any other that asks for states.
    let settled = !rules.has_staged || process.protocol.may_checkpoint();
    if settled {
        meet(go, true, Some(if process.position == ROWS { Last::Ended } else { Last::Stopped }));
    }
}

fn check(world: &World) {
    let committed = world.committed.as_ref().map_or(0, |commit| commit.position.0);
    assert_eq!(world.visible, committed, "what is visible is not what is committed");
    assert!(world.published <= committed, "staged rows are visible before they are committed");
    let named = world.committed.as_ref().and_then(|commit| commit.checkpoint.as_ref());
    assert!(named.is_none_or(|named| world.checkpoints.contains_key(&named.name)), "a needed checkpoint is gone");
}

/// Looks at every world that can be reached; returns how many there are, and whether all rows come to their end where nothing
/// goes wrong.
fn explore(rules: Rules) -> (usize, bool) {
    explore_after(0, rules)
}

/// As [`explore`], as if so many of the mishaps had been already. Fewer of them leave far fewer worlds.
fn explore_after(mishaps: u8, rules: Rules) -> (usize, bool) {
    let start = World {
        committed: None,
        owner: 0,
        visible: 0,
        published: 0,
        checkpoints: BTreeMap::new(),
        next_name: 0,
        processes: Vec::new(),
        next_owner: 0,
        mishaps,
    };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    let mut reached = false;
    while let Some(world) = open.pop_front() {
        check(&world);
        let ended = world.committed.as_ref().is_some_and(|commit| commit.ended);
        if ended && world.processes.is_empty() {
            assert_eq!(world.visible, ROWS);
            // Unless the end was followed by a crash before publication, everything staged is visible too.
            assert!(!rules.has_staged || world.published == ROWS || world.mishaps > mishaps);
            reached |= world.mishaps == mishaps;
            continue;
        }
        for world in successors(&world, rules) {
            if seen.insert(world.clone()) {
                open.push_back(world);
            }
        }
    }
    (seen.len(), reached)
}

fn rules(commits_apart: bool, keeps_checkpoints: bool, has_staged: bool) -> Rules {
    Rules { commits_apart, keeps_checkpoints, has_staged }
}

#[test]
fn committed_apart_from_checkpoints_every_history_shows_a_prefix() {
    let (worlds, ends) = explore(rules(true, true, false));
    assert!(ends && worlds > 10_000, "{worlds} worlds");
}

#[test]
fn with_staged_rows_beside_every_history_shows_a_prefix() {
    let (worlds, ends) = explore_after(1, rules(true, true, true));
    assert!(ends && worlds > 10_000, "{worlds} worlds");
}

#[test]
fn committed_with_checkpoints_every_history_shows_a_prefix() {
    let (worlds, ends) = explore_after(1, rules(false, true, true));
    assert!(ends && worlds > 1_000, "{worlds} worlds");
}

#[test]
fn committed_with_checkpoints_and_nothing_staged_every_history_shows_a_prefix() {
    let (worlds, ends) = explore_after(1, rules(false, true, false));
    assert!(ends && worlds > 1_000, "{worlds} worlds");
}

#[test]
fn without_checkpoints_every_history_shows_a_prefix() {
    let (worlds, ends) = explore(rules(true, false, false));
    assert!(ends && worlds > 1_000, "{worlds} worlds");
}
