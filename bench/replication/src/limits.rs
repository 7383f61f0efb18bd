//! What this machine could do at best with the same bytes, a thing at a time. Each figure is transactions a second.

use crate::chain::TRANSACTION_BYTES;
use anyhow::{Result, ensure};
use peerwright_bench_report::say;
use peerwright_secure::{Context, NodeKey, SignatureBatch, sha256};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs::File,
    hint::black_box,
    io::Write as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{PrivatePkcs8KeyDer, ServerName},
    },
};

/// Written, and synced, at once.
const PIECE: usize = 2 << 20;
/// Written to a connection at once.
const RECORD: usize = 64 << 10;
/// How long each core computes.
const COMPUTING: Duration = Duration::from_secs(1);
/// Signatures that are checked together: a docket's.
const TOGETHER: usize = 1_000;

/// Transactions a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Their bytes written to a file, synced after every 2 MiB.
    pub(crate) written: f64,
    /// Their bytes through one connection of TLS 1.3 on loopback.
    pub(crate) copied: f64,
    /// Hashed once each, on all cores.
    pub(crate) hashed: f64,
    /// Signatures checked a thousand at a time on all cores: of 64 authors, of one, and one at a time.
    pub(crate) signed: [f64; 3],
}

impl Limits {
    /// Measures; `transactions` is how many are replicated in the same run.
    pub(crate) fn measure(folder: &Path, transactions: u64) -> Result<Self> {
        let bytes = usize::try_from(transactions)?.saturating_mul(TRANSACTION_BYTES);
        let limits = Self {
            written: transactions as f64 / written(folder, bytes)?,
            copied: transactions as f64 / copied(bytes)?,
            hashed: hashed(),
            signed: [signed(64), signed(1), signed_one_by_one()],
        };
        say(format!("limits: {limits:.0?}"));
        Ok(limits)
    }

    /// Of a replica that hashes everything.
    pub(crate) fn replica(&self) -> f64 {
        self.written.min(self.copied).min(self.hashed)
    }
}

fn written(folder: &Path, bytes: usize) -> Result<f64> {
    let path = folder.join("written");
    let mut file = File::create(&path)?;
    let piece = vec![7; PIECE];
    let began = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let part = piece.get(..left.min(PIECE)).unwrap_or(&piece);
        file.write_all(part)?;
        file.sync_data()?;
        left -= part.len();
    }
    let seconds = began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(seconds)
}

fn copied(bytes: usize) -> Result<f64> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone())?;
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let client = builder.with_root_certificates(roots).with_no_client_auth();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private.into())?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let reading = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await?;
            let (mut buffer, mut read) = (vec![0; RECORD], 0);
            while read < bytes {
                match stream.read(&mut buffer).await? {
                    0 => break,
                    length => read += length,
                }
            }
            anyhow::Ok((read, Instant::now()))
        });
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(client));
        let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
        let record = vec![7; RECORD];
        let began = Instant::now();
        let mut left = bytes;
        while left > 0 {
            let part = record.get(..left.min(RECORD)).unwrap_or(&record);
            stream.write_all(part).await?;
            left -= part.len();
        }
        stream.flush().await?;
        let (read, ended) = reading.await??;
        ensure!(read == bytes, "{read} of {bytes} bytes came through");
        Ok(ended.duration_since(began).as_secs_f64())
    })
}

fn hashed() -> f64 {
    on_all_cores(|end| {
        let transaction = [7; TRANSACTION_BYTES];
        let mut count = 0;
        while Instant::now() < end {
            for _ in 0..TOGETHER {
                black_box(sha256(black_box(&transaction)));
            }
            count += TOGETHER;
        }
        count
    })
}

fn signed(authors: u8) -> f64 {
    let keys: Vec<NodeKey> = (0..authors).map(|number| NodeKey::from_seed([100 + number; 32])).collect();
    let signed: Vec<_> = (0..TOGETHER)
        .zip(keys.iter().cycle())
        .map(|(number, key)| {
            let id = sha256(&number.to_be_bytes());
            (key.public(), id, key.sign(Context::Transaction, &id))
        })
        .collect();
    on_all_cores(|end| {
        let mut count = 0;
        while Instant::now() < end {
            let mut batch = SignatureBatch::new();
            for (key, id, signature) in &signed {
                batch.add(key, Context::Transaction, id, signature);
            }
            count += if batch.holds() { TOGETHER } else { 0 };
        }
        count
    })
}

fn signed_one_by_one() -> f64 {
    let key = NodeKey::from_seed([7; 32]);
    let signature = key.sign(Context::Transaction, &[0; 32]);
    on_all_cores(|end| {
        let mut count = 0;
        while Instant::now() < end {
            count += usize::from(key.public().verify(Context::Transaction, black_box(&[0; 32]), &signature).is_ok());
        }
        count
    })
}

/// What all cores come to in a second.
fn on_all_cores(compute: impl Fn(Instant) -> usize + Sync) -> f64 {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let began = Instant::now();
    let end = began + COMPUTING;
    let count: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| compute(end))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    count as f64 / began.elapsed().as_secs_f64()
}
