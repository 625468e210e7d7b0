//! A random client against random changes. Whatever happens: no route in use names a cluster that the client does not
//! have, no scope that it has is pointed at a route table that it has not accepted, nothing is taken away that a cluster or a listener in use names, no cluster and no listener waits for good, one response of a type is on its way, clusters are not added and removed at once, nothing is sent to a client that
//! has it; and in the end the client has what it wants, and there is silence.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::snapshot::ResourceType;
use chancery::xds::{Protocol, Stream};
use proptest::prelude::*;

use crate::client::{Client, TYPES};
use crate::judge::Judge;
use crate::plan::{Mutation, Plan, mutation};
use crate::wire::{self, Received};
use crate::world::World;

/// Steps within which a conversation must come to rest.
const PATIENCE: usize = 500;

#[derive(Debug, Clone)]
enum Event {
    Change(Vec<Mutation>),
    /// A response arrives.
    Receive,
    /// A request arrives.
    Send,
    Accept(usize),
    Refuse(usize),
    Wish(bool, usize, bool),
    AskAgain(usize),
    Reconnect([ResourceType; 7]),
    /// The server is another process from now on, with the same content.
    Restart([ResourceType; 7]),
    Time(u64),
    /// Everybody does what there is to do, for some steps.
    Run(usize),
}

fn event() -> impl Strategy<Value = Event> {
    // Endpoints at any place; the others never before clusters, as a client would that uses no clusters of ours.
    let rest = [2, 3, 4, 5, 6].map(|index| TYPES[index]).to_vec();
    let order = (0..7_usize, Just(rest).prop_shuffle()).prop_map(|(place, mut rest)| {
        rest.insert(0, ResourceType::Cluster);
        rest.insert(place, ResourceType::LoadAssignment);
        <[ResourceType; 7]>::try_from(rest).unwrap()
    });
    prop_oneof![
        8 => prop::collection::vec(mutation(), 1..4).prop_map(Event::Change),
        6 => Just(Event::Receive),
        6 => Just(Event::Send),
        6 => (0..7_usize).prop_map(Event::Accept),
        2 => (0..6_usize).prop_map(Event::Refuse),
        2 => (any::<bool>(), 0..4_usize, any::<bool>()).prop_map(|(e, n, w)| Event::Wish(e, n, w)),
        1 => (0..6_usize).prop_map(Event::AskAgain),
        1 => order.clone().prop_map(Event::Reconnect),
        1 => order.prop_map(Event::Restart),
        1 => (1..20_u64).prop_map(Event::Time),
        6 => (1..30_usize).prop_map(Event::Run),
    ]
}

/// A server, a client, and what is on its way between them.
struct Talk {
    protocol: Protocol,
    plan: Plan,
    world: World,
    stream: Stream,
    judge: Judge,
    client: Client,
    inbox: VecDeque<Received>,
    now: Instant,
    came_back: bool,
    /// Whether the client refused clusters on this stream: others then wait for another form of them.
    refused_clusters: bool,
}

impl Talk {
    fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            plan: Plan::default(),
            world: World::default(),
            stream: Stream::new(protocol),
            judge: Judge::new(protocol),
            client: Client::new(protocol),
            inbox: VecDeque::new(),
            now: Instant::now(),
            came_back: false,
            refused_clusters: false,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Change(mutations) => self.change(mutations),
            Event::Receive => drop(self.receive()),
            Event::Send => drop(self.send()),
            Event::Accept(index) => drop(self.client.accept(TYPES[*index])),
            Event::Refuse(index) => {
                self.refused_clusters |= TYPES[*index] == ResourceType::Cluster;
                self.client.refuse(TYPES[*index]);
            }
            Event::Wish(endpoints, name, wanted) => {
                if *endpoints {
                    let name = ["a", "b", "s", "nowhere"][*name];
                    self.client
                        .wish(ResourceType::LoadAssignment, name, *wanted);
                } else {
                    let name = ["main", "alt", "nowhere", "else"][*name];
                    self.client
                        .wish(ResourceType::RouteConfiguration, name, *wanted);
                }
            }
            Event::AskAgain(index) => self.client.ask_again(TYPES[*index]),
            Event::Reconnect(order) => self.reconnect(*order),
            Event::Restart(order) => {
                self.world.restart();
                self.reconnect(*order);
            }
            Event::Time(seconds) => self.pass(Duration::from_secs(*seconds)),
            Event::Run(steps) => {
                for _ in 0..*steps {
                    self.step();
                }
            }
        }
        self.client.check_routes();
    }

    fn change(&mut self, mutations: &[Mutation]) {
        for mutation in mutations {
            self.plan.apply(mutation);
        }
        let changes = self.world.difference(&self.plan.texts());
        self.world.publish(changes);
        self.stream.handle_snapshot(self.world.snapshot.clone());
        self.flush();
    }

    fn reconnect(&mut self, order: [ResourceType; 7]) {
        self.inbox.clear();
        self.came_back = true;
        self.judge = Judge::new(self.protocol);
        self.stream = Stream::new(self.protocol);
        self.stream.handle_snapshot(self.world.snapshot.clone());
        self.client.reconnect(order);
    }

    /// Time that opens the gate excuses what it is there for: clusters that the client does not answer.
    fn pass(&mut self, time: Duration) {
        let due = self.stream.poll_timeout();
        self.now += time;
        self.client.late |= self.came_back;
        self.client.was_late |= self.came_back;
        if due.is_some_and(|due| due <= self.now) {
            let clusters = ["a", "b", "c", "d"].map(ToOwned::to_owned);
            self.client.excused.extend(clusters);
        } else {
            let early = self.stream.poll_response(self.now);
            assert!(early.is_none(), "sent without being woken: {early:?}");
        }
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(response) = self.stream.poll_response(self.now) {
            let response = wire::decode(self.protocol, &response);
            self.judge.see_response(&response);
            self.inbox.push_back(response);
        }
    }

    fn receive(&mut self) -> bool {
        let Some(response) = self.inbox.pop_front() else {
            return false;
        };
        self.client.receive(response);
        true
    }

    fn send(&mut self) -> bool {
        let Some(said) = self.client.outbox.pop_front() else {
            return false;
        };
        self.judge.see_request(&said);
        self.stream
            .handle_request(said.request(self.protocol), self.now);
        self.flush();
        true
    }

    /// One thing that there is to do.
    fn step(&mut self) -> bool {
        let done =
            self.receive() || self.send() || TYPES.into_iter().any(|each| self.client.accept(each));
        self.client.check_routes();
        done
    }

    fn settle(&mut self) {
        for _ in 0..PATIENCE {
            if self.step() {
                continue;
            }
            let cold = &self.client.cold;
            assert!(cold.is_empty(), "clusters wait for {cold:?}");
            let Some(due) = self.stream.poll_timeout() else {
                return;
            };
            assert!(
                self.came_back || self.refused_clusters,
                "the server waits for a client that has answered"
            );
            self.pass(due - self.now);
        }
        panic!("there is no end to it");
    }

    /// Types of which something was refused and not sent since.
    fn refused(&self) -> Vec<ResourceType> {
        let refused = |each: &ResourceType| !self.client.side(*each).refused.is_empty();
        TYPES.into_iter().filter(refused).collect()
    }

    /// Changes one resource of each refused type, which makes all that was refused with it due again.
    fn mend(&mut self) {
        for resource_type in self.refused() {
            let name = match resource_type {
                ResourceType::Cluster => "e".to_owned(),
                ResourceType::Listener | ResourceType::ScopedRouteConfiguration => {
                    "other".to_owned()
                }
                _ => self
                    .client
                    .side(resource_type)
                    .wanted
                    .first()
                    .unwrap()
                    .clone(),
            };
            let before = self.world.find(resource_type, &name).unwrap_or("()");
            let references = &before[before.find('(').unwrap_or(before.len())..];
            let text = format!("{name}=mended{references}");
            self.world.publish(vec![(resource_type, name, Some(text))]);
            self.stream.handle_snapshot(self.world.snapshot.clone());
            self.flush();
        }
    }

    fn check_converged(&mut self) {
        assert_eq!(
            self.client.unready.len(),
            0,
            "listeners wait for {:?}",
            self.client.unready
        );
        for resource_type in TYPES {
            let side = self.client.side(resource_type);
            let sotw = self.protocol == Protocol::Sotw;
            let silent = sotw || resource_type.is_left();
            let sayable =
                |name: &&String| !silent || self.world.find(resource_type, name).is_some();
            let again = side.refused.iter().find(sayable);
            assert!(again.is_none(), "refused and not sent again: {again:?}");
            let wanted = |name: &str| resource_type.is_full_state() || side.wanted.contains(name);
            let all = self.world.resources(resource_type);
            let all: Vec<_> = all.filter(|(name, _)| wanted(name)).collect();
            let has = side.has.iter();
            let mut has: Vec<_> = has
                .map(|(name, (text, _))| (name.as_str(), text.as_str()))
                .collect();
            if resource_type.is_left() || (sotw && !resource_type.is_full_state()) {
                // Absence takes nothing away.
                has.retain(|(name, _)| self.world.find(resource_type, name).is_some());
            }
            assert_eq!(has, all, "the client's {resource_type:?}, and the server's");
        }
        assert!(self.stream.is_synced());
        let (same, _) = self.world.snapshot.next([], self.world.snapshot.revision);
        self.stream.handle_snapshot(Arc::new(same));
        self.now += Duration::from_secs(3600);
        let more = self.stream.poll_response(self.now);
        assert!(more.is_none(), "no silence: {more:?}");
    }
}

fn play(protocol: Protocol, events: &[Event]) {
    let mut talk = Talk::new(protocol);
    for event in events {
        talk.happen(event);
    }
    if talk.world.snapshot.sequence == 0 {
        talk.change(&[]);
    }
    talk.settle();
    talk.mend();
    talk.settle();
    talk.check_converged();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sotw_client_converges(events in prop::collection::vec(event(), 1..60)) {
        play(Protocol::Sotw, &events);
    }

    #[test]
    fn a_delta_client_converges(events in prop::collection::vec(event(), 1..60)) {
        play(Protocol::Delta, &events);
    }
}

/// Plans that once ended badly, and are too rare to be found anew.
mod found {
    use super::{Event, play};
    use crate::plan::Mutation::{
        Cluster, Divide, Endpoints, Listener, NoCluster, Point, Route, Table,
    };
    use chancery::xds::Protocol;

    #[test]
    fn a_name_that_a_sotw_client_drops_and_wants_again_while_a_response_is_on_its_way() {
        let plan = [
            Event::Change(vec![Listener(1, 0, 1, 2, 0)]),
            Event::Change(vec![Listener(0, 0, 0, 0, 2)]),
            Event::Run(13),
            Event::Run(4),
            Event::Change(vec![Listener(0, 0, 1, 0, 1)]),
            Event::Accept(5),
            Event::Run(10),
            Event::Wish(false, 0, true),
        ];
        play(Protocol::Sotw, &plan);
    }

    #[test]
    fn a_table_of_a_scope_whose_removal_is_on_its_way() {
        let plan = [
            Event::Change(vec![Route(0, 0, 1)]),
            Event::Change(vec![Divide([2, 1, 0])]),
            Event::Run(19),
            Event::Change(vec![Point(1, 0), Endpoints(0, 1)]),
            Event::Change(vec![Cluster(1, 0, false, 2)]),
            Event::Change(vec![Point(1, 1)]),
            Event::Run(15),
            Event::Accept(6),
            Event::Change(vec![Point(1, 0)]),
        ];
        play(Protocol::Delta, &plan);
    }

    #[test]
    fn a_cluster_of_a_table_that_was_gone_when_it_was_asked_for() {
        let plan = [
            Event::Change(vec![Point(0, 0)]),
            Event::Run(12),
            Event::Change(vec![Table(0, 0, 5), Divide([0, 2, 3])]),
            Event::Run(10),
            Event::Change(vec![Divide([2, 2, 3]), NoCluster(0)]),
            Event::Send,
            Event::Change(vec![Point(0, 0)]),
            Event::Change(vec![Cluster(1, 0, false, 0)]),
            Event::Change(vec![Listener(0, 0, 0, 0, 0)]),
        ];
        play(Protocol::Sotw, &plan);
    }
}
