//! The floor: Envoy's own rebuild. A bare server that sends an Envoy the bytes that Chancery sends for a change, and nothing else.
//!
//! At first it hands everything on between its Envoy and Chancery, and learns. Then it lets go of Chancery: what its Envoy holds
//! is what Chancery's has, and a change is a learned response with another marker. As Chancery, it sends no further response
//! before the last one is acknowledged; what changed meanwhile goes out together.
//!
//! Spoken to by lines: see [`Order`]. Ends with its input.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use prost::Message;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status, Streaming};

use crate::learned::Lesson;
use crate::support::raw::{Ads, Raw, Responses};

const METHOD: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// What the process is told. The first two are answered by an empty line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Responses are to a change of this route from now on.
    Learn(usize),
    /// Chancery is let go; so many routes are known.
    LetGo(usize),
    /// A route has this value now.
    Put(usize, u32),
}

/// The addresses of a floor.
#[derive(Debug, Clone, clap::Args)]
pub struct Addresses {
    pub listen: SocketAddrV4,
    pub chancery: SocketAddrV4,
    /// Where Chancery's Envoy gets its traffic, and where the floor's does: as many letters.
    pub listener: SocketAddrV4,
    pub own_listener: SocketAddrV4,
}

/// Runs the process.
pub async fn run(addresses: Addresses) -> Result<()> {
    let floor = Floor {
        addresses: addresses.clone(),
        state: Arc::default(),
    };
    let ads = Ads({
        let floor = floor.clone();
        move |requests| floor.open(requests)
    });
    let served = Server::builder()
        .add_service(ads)
        .serve(addresses.listen.into());
    let ordered = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let order = serde_json::from_str(&line)?;
            let answered = !matches!(order, Order::Put(..));
            floor.state().obey(order)?;
            if answered {
                println!();
            }
        }
        Ok(())
    };
    tokio::select! {
        served = served => Ok(served?),
        ordered = ordered => ordered,
    }
}

#[derive(Default)]
struct State {
    lesson: Lesson,
    /// The route whose change is learned.
    learning: Option<usize>,
    /// To Chancery, until that is let go.
    chancery: Option<UnboundedSender<Bytes>>,
    let_go: bool,
    envoy: Option<UnboundedSender<Result<Bytes, Status>>>,
    /// Changes that were not sent yet, and responses that were not acknowledged yet.
    waiting: VecDeque<usize>,
    under_way: usize,
}

impl State {
    fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Learn(number) => self.learning = Some(number),
            Order::LetGo(routes) => {
                self.lesson.complete(routes)?;
                self.let_go = true;
                self.chancery = None;
            }
            Order::Put(number, value) => {
                self.lesson.put(number, value);
                if !self.waiting.contains(&number) {
                    self.waiting.push_back(number);
                }
                self.send();
            }
        }
        Ok(())
    }

    /// Sends the next change, unless a response is under way.
    fn send(&mut self) {
        if self.under_way > 0 {
            return;
        }
        let (Some(number), Some(envoy)) = (self.waiting.front(), &self.envoy) else {
            return;
        };
        let waiting: BTreeSet<usize> = self.waiting.iter().copied().collect();
        let (responses, held) = self.lesson.responses(*number, &waiting);
        self.waiting.retain(|number| !held.contains(number));
        self.under_way = responses.len();
        for response in responses {
            let _ = envoy.send(Ok(response));
        }
    }

    fn hear_envoy(&mut self, request: Bytes) -> Result<()> {
        if let Some(chancery) = &self.chancery {
            let _ = chancery.send(request);
            return Ok(());
        }
        let request = DeltaDiscoveryRequest::decode(request)?;
        if let Some(refused) = request.error_detail {
            eprintln!("refused: {}", refused.message);
        }
        if !request.response_nonce.is_empty() {
            self.under_way = self.under_way.saturating_sub(1);
            self.send();
        }
        Ok(())
    }

    fn hear_chancery(&mut self, response: Bytes) -> Result<()> {
        if self.let_go {
            return Ok(());
        }
        if let Some(number) = self.learning {
            self.lesson.hear(number, &response)?;
        }
        if let Some(envoy) = &self.envoy {
            let _ = envoy.send(Ok(response));
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Floor {
    addresses: Addresses,
    state: Arc<Mutex<State>>,
}

impl Floor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, mut requests: Streaming<Bytes>) -> Responses {
        let (to_envoy, responses) = unbounded_channel();
        let (to_chancery, asked) = unbounded_channel();
        {
            let mut state = self.state();
            state.envoy = Some(to_envoy);
            state.chancery = (!state.let_go).then_some(to_chancery);
        }
        let floor = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                told(floor.state().hear_envoy(request));
            }
        });
        let floor = self.clone();
        tokio::spawn(async move { told(floor.relay(asked).await) });
        UnboundedReceiverStream::new(responses).boxed()
    }

    /// Hands on what Chancery answers, for as long as it is asked.
    async fn relay(&self, asked: UnboundedReceiver<Bytes>) -> Result<()> {
        let Addresses {
            chancery,
            listener,
            own_listener,
            ..
        } = &self.addresses;
        let channel = Channel::from_shared(format!("http://{chancery}"))?;
        let mut chancery = tonic::client::Grpc::new(channel.connect().await?)
            .max_decoding_message_size(usize::MAX);
        chancery.ready().await?;
        let asked = Request::new(UnboundedReceiverStream::new(asked));
        let path = PathAndQuery::from_static(METHOD);
        let answers = chancery.streaming(asked, path, Raw).await?;
        let mut answers = answers.into_inner();
        let (from, to) = (listener.ip().to_string(), own_listener.ip().to_string());
        while let Some(response) = answers.message().await? {
            let response = replaced(response, from.as_bytes(), to.as_bytes());
            self.state().hear_chancery(response)?;
        }
        Ok(())
    }
}

fn told(result: Result<()>) {
    if let Err(error) = result {
        eprintln!("{error:#}");
    }
}

/// The bytes with a part in the place of another one of the same length.
fn replaced(bytes: Bytes, from: &[u8], to: &[u8]) -> Bytes {
    let places = bytes.windows(from.len()).enumerate();
    let places = places.filter_map(|(at, window)| (window == from).then_some(at));
    let places: Vec<usize> = places.collect();
    if places.is_empty() {
        return bytes;
    }
    let mut bytes = bytes.to_vec();
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes.into()
}
