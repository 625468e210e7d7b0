//! CSDS: what each connected node was sent, resource by resource, and how it stands. For standard debuggers; changes nothing,
//! and shows no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use envoy_types::pb::envoy::admin::v3::{ClientResourceStatus, UpdateFailureState};
use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::service::status::v3::client_config::GenericXdsConfig;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_server::ClientStatusDiscoveryService;
use envoy_types::pb::envoy::service::status::v3::{
    ClientConfig, ClientStatusRequest, ClientStatusResponse, ConfigStatus,
};
use envoy_types::pb::google::protobuf::{Any, Timestamp};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::admission::Peer;
use super::ads::{Ads, shutting_down};
use super::nodes::{Node, TypeStatus};
use super::stream::view::{Holding, Standing};

mod matcher;

use matcher::Matcher;

/// The largest answer, in bytes: some clients take 4 MiB at most, and the answers of a fleet would fill the memory.
const LARGEST: usize = 64 << 20;

/// The client status discovery service.
#[derive(Debug)]
pub struct Csds(pub Ads);

/// What a client gets to see.
struct Sight<'a> {
    matchers: Vec<Matcher>,
    gateways: Option<BTreeSet<&'a str>>,
    contents: bool,
}

impl Csds {
    async fn answer(
        &self,
        peer: &Peer,
        request: ClientStatusRequest,
    ) -> Result<ClientStatusResponse, Status> {
        let matchers = request
            .node_matchers
            .into_iter()
            .map(Matcher::try_from)
            .collect::<Result<_, _>>();
        let sight = Sight {
            matchers: matchers.map_err(Status::invalid_argument)?,
            gateways: self.0.clients.gateways(peer),
            contents: !request.exclude_resource_contents,
        };
        let mut nodes = self.0.nodes.streams();
        nodes.retain(|(node, _)| sight.has(node));
        // Where a node has two streams with the same resource, the newer one knows better.
        nodes.sort_by_key(|(node, _)| node.connected);
        let mut configs: BTreeMap<_, (Node, BTreeMap<_, _>)> = BTreeMap::new();
        let mut size = 0;
        for (node, questions) in nodes {
            let Some(holdings) = questions.ask().await else {
                continue;
            };
            let (_, known) = configs
                .entry((node.id.clone(), node.gateway.clone()))
                .or_insert_with(|| (node.clone(), BTreeMap::new()));
            for holding in holdings {
                let status = node.status.types[holding.resource_type.index()].as_ref();
                let key = (holding.resource_type, holding.name.clone());
                let config = sight.config(holding, status);
                size += config.encoded_len();
                if size > LARGEST {
                    return Err(Status::resource_exhausted(format!(
                        "the answer has more than {LARGEST} bytes; ask for fewer nodes (node_matchers), or without contents \
                         (exclude_resource_contents)"
                    )));
                }
                known.insert(key, config);
            }
        }
        let config = configs.into_values().map(|(node, known)| ClientConfig {
            node: Some(identity(&node)),
            generic_xds_configs: known.into_values().collect(),
            ..ClientConfig::default()
        });
        Ok(ClientStatusResponse {
            config: config.collect(),
        })
    }
}

impl Sight<'_> {
    /// A client that may act as some gateways sees these alone.
    fn has(&self, node: &Node) -> bool {
        let gateways = self.gateways.as_ref();
        gateways.is_none_or(|gateways| gateways.contains(&*node.gateway))
            && (self.matchers.is_empty() || self.matchers.iter().any(|each| each.matches(&node.id)))
    }

    fn config(&self, holding: Holding, status: Option<&TypeStatus>) -> GenericXdsConfig {
        let type_url = holding.resource_type.type_url();
        let contents = self.contents && !holding.resource_type.is_secret();
        let resource = holding.resource.as_ref();
        let any = resource.filter(|_| contents).map(|resource| Any {
            type_url: type_url.into(),
            value: resource.value().into(),
        });
        let version = resource
            .map(|resource| resource.version.to_string())
            .unwrap_or_default();
        let (config_status, client_status) = match holding.standing {
            Standing::Synced => (ConfigStatus::Synced, ClientResourceStatus::Acked),
            Standing::Sent => (ConfigStatus::Stale, ClientResourceStatus::Requested),
            Standing::Waiting => (ConfigStatus::NotSent, ClientResourceStatus::Requested),
            Standing::Missing => (ConfigStatus::NotSent, ClientResourceStatus::DoesNotExist),
            Standing::Refused => (ConfigStatus::Error, ClientResourceStatus::Nacked),
        };
        let refused = status
            .and_then(|status| status.refused.as_ref())
            .filter(|_| holding.standing == Standing::Refused);
        let error_state = refused.map(|(mark, error)| UpdateFailureState {
            failed_configuration: any.clone(),
            last_update_attempt: Some(timestamp(mark.at)),
            details: error.to_string(),
            version_info: version.clone(),
        });
        let acked = status.and_then(|status| status.acked);
        GenericXdsConfig {
            type_url: type_url.into(),
            name: holding.name.to_string(),
            version_info: version,
            xds_config: any,
            last_updated: acked.map(|mark| timestamp(mark.at)),
            config_status: config_status.into(),
            client_status: client_status.into(),
            error_state,
            is_static_resource: false,
        }
    }
}

fn identity(node: &Node) -> NodeIdentity {
    NodeIdentity {
        id: node.id.to_string(),
        cluster: node.gateway.to_string(),
        user_agent_name: node.agent.to_string(),
        ..NodeIdentity::default()
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    }
}

fn peer<T>(request: &Request<T>) -> Peer {
    let peer = request.extensions().get::<Peer>();
    peer.cloned().unwrap_or_default()
}

#[tonic::async_trait]
impl ClientStatusDiscoveryService for Csds {
    type StreamClientStatusStream = ReceiverStream<Result<ClientStatusResponse, Status>>;

    async fn stream_client_status(
        &self,
        request: Request<Streaming<ClientStatusRequest>>,
    ) -> Result<Response<Self::StreamClientStatusStream>, Status> {
        let peer = peer(&request);
        let ads = self.0.clone();
        let room = ads
            .admission
            .stream(&peer)
            .map_err(|refusal| ads.refuse(&refusal))?;
        let mut requests = request.into_inner();
        let (answers, answered) = mpsc::channel(1);
        tokio::spawn(async move {
            let csds = Self(ads.clone());
            let talk = async {
                while let Some(request) = requests.message().await? {
                    let answer = csds.answer(&peer, request).await?;
                    if answers.send(Ok(answer)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let ended: Result<(), Status> = tokio::select! {
                ended = talk => ended,
                () = answers.closed() => Ok(()),
                () = ads.shutdown.cancelled() => Err(shutting_down()),
            };
            if let Err(status) = ended {
                // Nobody to tell it to where this fails.
                let _ = answers.try_send(Err(status));
            }
            drop(room);
        });
        Ok(Response::new(ReceiverStream::new(answered)))
    }

    async fn fetch_client_status(
        &self,
        request: Request<ClientStatusRequest>,
    ) -> Result<Response<ClientStatusResponse>, Status> {
        let peer = peer(&request);
        let room = self.0.admission.stream(&peer);
        let _room = room.map_err(|refusal| self.0.refuse(&refusal))?;
        let answer = self.answer(&peer, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
