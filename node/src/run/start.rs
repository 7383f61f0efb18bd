//! The start, step by step.

use super::{Backing, Enrolment, PartEnded, RunningNode, Sockets, StartError, StartOptions};
use crate::{
    api::{self, ApiState, Identity, LocalBans, Node},
    auto_bans,
    config::{Configuration, Storage},
    discovery::{Discovery, Nearby, OwnAddresses, Resolver},
    driver::{Clock, Commands, Driver, DriverParts, LINK_EVENTS, log_event},
    handle::NodeHandle,
    identity::{Volume, mounted_snapshot},
    limits::RateLimits,
    link::{LinkContext, LinkDialler, Paths},
    member::{Claim, InstallRoot, Membership},
    members,
    operator::{OperatorClient, OperatorSettings},
    probes::{self, ProbeState, Readiness, Reason},
    readiness::{Phase, ReadinessKeeper},
    registers::{
        BlueprintKeeper, Callers, Creator, HandIn, HubKeeper, HubSettings, OutboxKeeper, Registers, Replicas, Sealer,
        Spent,
    },
    telemetry::{PEER_PORT, Telemetry, Traces},
    tls::{self, Direction, Profiles},
    transport::{Connections, Dialler, Limits, Listener, RefusalObserver, Security, Shield, TcpListener},
};
use arc_swap::ArcSwap;
use axum::Router;
use peerwright_engine::{AddressSettings, Config, Event};
use peerwright_store::{Memory, Postgres, SealingStore, Sqlite, Store};
use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PEER_LIMITS: Limits = Limits {
    // A hub's links, and callers beside them.
    connections: 2_560,
    handshakes: 128,
    streams: 64,
    silence: Duration::from_secs(30),
    first_request: Duration::from_secs(10),
};
const API_LIMITS: Limits = Limits {
    connections: 1_024,
    handshakes: 128,
    streams: 64,
    silence: Duration::from_secs(60),
    first_request: Duration::from_secs(10),
};
const PROBE_LIMITS: Limits = Limits { connections: 64, handshakes: 64, ..API_LIMITS };

/// What exists before anything else does.
struct Beginnings {
    telemetry: Arc<Telemetry>,
    observer: RefusalObserver,
    readiness: watch::Sender<Readiness>,
    /// Tells the probes of the node, once there is one.
    node: Arc<OnceLock<Arc<dyn Node>>>,
    stop: CancellationToken,
    end: CancellationToken,
    parts: JoinSet<PartEnded>,
    tasks: TaskTracker,
}

impl RunningNode {
    /// Starts a node on bound ports. When this returns the node serves; whether it may be sent traffic, its readiness
    /// says.
    pub async fn start(
        configuration: &Configuration,
        options: &StartOptions,
        sockets: Sockets,
    ) -> Result<Self, StartError> {
        tls::install_provider();
        let Sockets { peer, api, probe, peer_address, api_address, probe_address } = sockets;
        let mut begun = begin(probe, Traces::of(configuration)?);
        let guard = begun.end.clone().drop_guard();
        let membership = Arc::new(membership(configuration, options)?);
        let (store, dockets) = open_store(configuration, options, &membership).await?;
        let registers = Registers::new(dockets, begun.telemetry.clone()).with_outbox(configuration.outbox);
        registers.begin().await?;
        registers.advertised.load(&*store).await?;
        let incarnation = store.next_incarnation(Clock::wall().0).await?;
        let local_bans = Arc::new(LocalBans::load(store.clone()).await?);
        let auto_bans = auto_bans::load(&*store).await?;
        membership.replace_automatic_bans(auto_bans::in_force(&auto_bans, Clock::wall().seconds()));

        let (commands, commanded) = Commands::new();
        let profiles = Profiles::new(
            configuration.trust_domain.clone(),
            membership.anchors().clone(),
            membership.bans().clone(),
            membership.leaf().clone(),
        )?;
        let (events, link_events) = mpsc::channel(LINK_EVENTS);
        let settings = Arc::new(ArcSwap::from_pointee(configuration.links.clone()));
        let telling = begun.telemetry.clone();
        let observer = Arc::new(move |event: &Event| {
            log_event(event);
            telling.event(event);
        });
        let paths = Arc::new(Paths::new(settings.clone(), observer));
        let traces = begun.telemetry.traces().clone();
        let context = LinkContext { events, incarnation, next: Arc::new(AtomicU64::new(1)), settings, paths, traces };
        let connections = membership.connections().clone();
        let dialler = Dialler::new(begun.tasks.clone(), begun.end.clone());
        let link_dialler = LinkDialler::new(
            dialler.clone(),
            profiles.members_outbound,
            membership.leaf().clone(),
            membership.bans().clone(),
            connections.clone(),
            context.clone(),
        );
        let news = &registers.source_news;
        let callers = Arc::new(Callers::new(link_dialler.clone(), commands.clone(), begun.tasks.clone(), news));
        let (sealing, sealing_set) = watch::channel(None);
        let sealer = Sealer::new(registers.clone(), membership.clone(), callers.clone(), store.clone(), sealing_set);
        let sealer = Arc::new(sealer);
        let handle = Arc::new(NodeHandle {
            identity: identity(configuration, &membership, incarnation),
            membership: membership.clone(),
            store: store.clone(),
            registers: registers.clone(),
            creator: Creator { membership: membership.clone(), callers: callers.clone(), sealer: sealer.clone() },
            commands,
            readiness: begun.readiness.subscribe(),
        });
        let node: Arc<dyn Node> = handle.clone();
        // The only one to set it.
        drop(begun.node.set(node.clone()));
        let limits = Arc::new(RateLimits::new(configuration.limits));
        let (hub, hub_settings) = watch::channel(HubSettings::default());
        let (member_routes, health) = members::router(
            handle.clone(),
            begun.telemetry.clone(),
            context.clone(),
            begun.tasks.clone(),
            limits.clone(),
            sealer.clone(),
            hub_settings.clone(),
        )?;
        let shield = Shield { bans: membership.bans().clone(), connections: connections.clone() };
        let security = Security::Members(profiles.members_inbound, shield.clone());
        begun.listen("port 5000", PEER_PORT, peer, security, member_routes, PEER_LIMITS);
        let api_routes = api::router(ApiState::new(
            node,
            begun.telemetry.clone(),
            local_bans.clone(),
            options.access,
            limits.clone(),
        ));
        begun.listen(
            "port 8443",
            "api",
            api,
            Security::Strangers(profiles.applications, shield),
            api_routes,
            API_LIMITS,
        );

        let phase = watch::Sender::new(Phase::Starting);
        begun.supervise_store(&*store, phase.clone());
        let resolver = Resolver::from_system();
        let (links, links_watched) = watch::channel(0);
        let (engine_readiness, engine_watched) = watch::channel(None);
        let (found, addresses) = mpsc::channel(1);
        let (found_nearby, nearby) = mpsc::channel(1);
        let driver = DriverParts {
            config: Config {
                addresses: AddressSettings {
                    own_ranges: configuration.own_ranges.clone(),
                    ..AddressSettings::default()
                },
                ..engine_config(options, &membership, incarnation, peer_address)?
            },
            membership: membership.clone(),
            auto_bans,
            rates: limits,
            store,
            registers: registers.clone(),
            dialler: link_dialler,
            tasks: begun.tasks.clone(),
            commands: commanded,
            link_events,
            addresses,
            nearby,
            links,
            readiness: engine_readiness,
            sealing,
            hub,
            telemetry: begun.telemetry.clone(),
            end: begun.end.clone(),
        };
        begun.tasks.spawn(
            ReadinessKeeper {
                membership: membership.clone(),
                phase: phase.subscribe(),
                engine: engine_watched,
                rejoining: sealer.watch_rejoining(),
                readiness: begun.readiness.clone(),
                health,
            }
            .run(begun.end.clone()),
        );
        begun.tasks.spawn(tell_certificate(membership.clone(), begun.telemetry.clone(), begun.end.clone()));
        let discovery = Discovery {
            seeds: configuration.seeds.clone(),
            resolver: resolver.clone(),
            own: peer_address,
            links: links_watched,
            found,
        };
        begun.spawn_until_stop("discovery", discovery.run());
        let nearby = Nearby {
            multicast_dns: configuration.multicast_dns.clone(),
            network: configuration.network_uid.clone(),
            own: membership.peer_id(),
            listening: peer_address,
            found: found_nearby,
            phase: phase.subscribe(),
        };
        begun.tasks.spawn(nearby.run());
        let outbox = OutboxKeeper {
            registers: registers.clone(),
            messages: handle.store.clone(),
            membership: membership.clone(),
            incarnation,
            hand_in: HandIn::new(membership.clone(), callers.clone(), sealer.clone()),
        };
        let spent = Spent {
            registers: registers.clone(),
            messages: handle.store.clone(),
            commands: handle.commands.clone(),
            own: membership.key().public(),
        };
        let hubs = HubKeeper {
            registers: registers.clone(),
            membership: membership.clone(),
            callers: callers.clone(),
            settings: hub_settings,
        };
        let blueprints = BlueprintKeeper { registers: registers.clone(), membership: membership.clone() };
        let telling = registers.clone().tell();
        let messages = handle.store.clone();
        let replicas = Replicas { registers, messages, membership: membership.clone(), callers };
        match &options.enrolment {
            Enrolment::Local(authority) => sealer.set_network_authority(authority),
            Enrolment::Operator => {
                let settings = OperatorSettings {
                    endpoint: configuration.operator.clone(),
                    token_file: configuration.token_file.clone(),
                };
                let telemetry = begun.telemetry.clone();
                let observer = Arc::new(move |call, answer| telemetry.operator_answered(call, answer));
                let client = OperatorClient::new(settings, resolver, dialler, membership, handle.clone(), observer)?;
                let client = Arc::new(client);
                sealer.set_network_authority(&client);
                let stop = begun.stop.clone();
                begun.spawn("the operator client", async move { Box::pin(client.run(stop)).await });
            }
        }
        begun.spawn("the driver", Driver::run(driver));
        begun.spawn_until_stop("following registers", replicas.run());
        begun.spawn_until_stop("keeping to a hub", hubs.run());
        begun.spawn_until_stop("reading blueprints", blueprints.run());
        begun.spawn_until_stop("telling of dockets", telling);
        begun.spawn_until_stop("the outbox", outbox.run());
        begun.spawn_until_stop("letting go of messages", spent.run());
        begun.spawn_until_stop("sealing", sealer.clone().run());
        // The engine must know them before the first link is up.
        handle
            .apply_local_bans(local_bans.records().await)
            .await
            .map_err(|_| StartError::Authority("the driver ended at once".to_owned()))?;
        // The store may have failed already.
        phase.send_if_modified(|phase| {
            let is_next = *phase == Phase::Starting;
            if is_next {
                *phase = Phase::Running;
            }
            is_next
        });
        tracing::info!(
            peer_id = %handle.identity.peer_id,
            node = %configuration.node_name,
            peer = %peer_address,
            api = %api_address,
            probe = %probe_address,
            "listening"
        );
        Ok(Self {
            handle,
            sealer,
            telemetry: begun.telemetry,
            peer_address,
            api_address,
            probe_address,
            phase,
            parts: begun.parts,
            tasks: begun.tasks,
            stop: begun.stop,
            end: begun.end,
            _end: guard,
        })
    }
}

impl Beginnings {
    fn spawn(&mut self, part: &'static str, running: impl Future<Output = ()> + Send + 'static) {
        self.parts.spawn(async move {
            running.await;
            PartEnded::returned(part)
        });
    }

    fn spawn_until_stop(&mut self, part: &'static str, running: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.spawn(part, async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = running => {}
            }
        });
    }

    /// A store that takes no more writes would go on answering reads and probes for ever: it ends the process.
    fn supervise_store(&mut self, store: &dyn Store, phase: watch::Sender<Phase>) {
        let (failed, stop) = (store.failed(), self.stop.clone());
        let part = "the store";
        self.parts.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => PartEnded::returned(part),
                error = failed => {
                    phase.send_replace(Phase::Failed);
                    PartEnded { part, reason: error.to_string() }
                }
            }
        });
    }

    fn listen(
        &mut self,
        part: &'static str,
        name: &'static str,
        socket: TcpListener,
        security: Security,
        router: Router,
        limits: Limits,
    ) {
        let observer = self.observer.clone();
        let listener = Listener { name, socket, security, router, limits, observer };
        self.spawn(part, listener.serve(self.stop.clone(), self.end.clone()));
    }
}

/// The probes answer from here on.
fn begin(probe: TcpListener, traces: Traces) -> Beginnings {
    let telemetry = Arc::new(Telemetry::new(traces));
    let counting = telemetry.clone();
    let observer: RefusalObserver =
        Arc::new(move |port, code| counting.handshake_refused(port, Direction::Inbound.label(), code));
    let readiness = watch::Sender::new(Readiness::Waiting(Reason::Starting));
    let mut begun = Beginnings {
        telemetry,
        observer,
        readiness,
        node: Arc::default(),
        stop: CancellationToken::new(),
        end: CancellationToken::new(),
        parts: JoinSet::new(),
        tasks: TaskTracker::new(),
    };
    let routes = probes::router(ProbeState {
        readiness: begun.readiness.subscribe(),
        telemetry: begun.telemetry.clone(),
        node: begun.node.clone(),
    });
    begun.listen("port 8080", "probe", probe, Security::Plain, routes, PROBE_LIMITS);
    begun
}

fn membership(configuration: &Configuration, options: &StartOptions) -> Result<Membership, StartError> {
    let claim = Claim {
        network_uid: configuration.network_uid.clone(),
        trust_domain: configuration.trust_domain.clone(),
        namespace: configuration.namespace.clone(),
        node: configuration.node_name.clone(),
    };
    let install_root = match &options.enrolment {
        Enrolment::Operator => InstallRoot::read(&configuration.install_root, &configuration.install_root_sha256)?,
        Enrolment::Local(authority) => InstallRoot::from_der(authority.install_root().to_vec()),
    };
    let volume = match options.backing {
        Backing::Volume => Volume::open(&configuration.data_dir, &configuration.network_uid)?,
        Backing::Memory | Backing::Stores(..) | Backing::Lasting(..) => Volume::forgetful(),
    };
    let key = match &options.backing {
        Backing::Lasting(key, _) => (**key).clone(),
        _ => volume.node_key()?,
    };
    let membership = Membership::new(&claim, install_root, volume, key, Arc::new(Connections::default()))?;
    match &options.enrolment {
        Enrolment::Operator => membership.recall(mounted_snapshot(&configuration.snapshot_file)?)?,
        Enrolment::Local(authority) => {
            authority.enroll(&membership).map_err(|error| StartError::Authority(error.to_string()))?;
        }
    }
    Ok(membership)
}

async fn open_store(
    configuration: &Configuration,
    options: &StartOptions,
    membership: &Membership,
) -> Result<(Arc<dyn Store>, Arc<dyn SealingStore>), StartError> {
    match &options.backing {
        Backing::Volume => {
            let network_uid = membership.network_uid();
            match &configuration.storage {
                Storage::Volume => {
                    let path = configuration.data_dir.join("store.sqlite");
                    let store = Arc::new(Sqlite::open(&path, network_uid).await?);
                    Ok((store.clone(), store))
                }
                Storage::Postgres(settings) => {
                    let store = Arc::new(Postgres::open((**settings).clone(), network_uid).await?);
                    Ok((store.clone(), store))
                }
            }
        }
        Backing::Memory => {
            let store = Arc::new(Memory::new(membership.network_uid()));
            Ok((store.clone(), store))
        }
        Backing::Stores(messages, dockets) => Ok((messages.clone(), dockets.clone())),
        Backing::Lasting(_, store) => Ok((store.clone(), store.clone())),
    }
}

fn engine_config(
    options: &StartOptions,
    membership: &Membership,
    incarnation: u64,
    listening: SocketAddr,
) -> Result<Config, StartError> {
    let mut seed = [0; 8];
    tls::fill_random(&mut seed).map_err(|_| StartError::NoRandomness)?;
    let mut config = Config::new(membership.key().clone(), incarnation, u64::from_be_bytes(seed));
    config.advertised = OwnAddresses::now(listening).advertised(listening);
    (options.tune)(&mut config);
    Ok(config)
}

fn identity(configuration: &Configuration, membership: &Membership, incarnation: u64) -> Identity {
    Identity {
        network: configuration.network.clone(),
        namespace: configuration.namespace.clone(),
        node: configuration.node_name.clone(),
        trust_domain: configuration.trust_domain.clone(),
        public_key: membership.key().public(),
        peer_id: membership.peer_id(),
        incarnation,
        started_at: Clock::wall().0,
    }
}

/// Keeps the metric of the certificate's end current.
async fn tell_certificate(membership: Arc<Membership>, telemetry: Arc<Telemetry>, end: CancellationToken) {
    let mut certificates = membership.watch_certificate();
    loop {
        if let Some(leaf) = certificates.borrow_and_update().as_ref() {
            telemetry.certificate_ends(leaf.not_after);
        }
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            changed = certificates.changed() => if changed.is_err() { return },
        }
    }
}
