//! What this machine could do at best.

use anyhow::{Context as _, Result};
use peerwright_secure::{Context as Purpose, NodeKey};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

const SIGNATURES: u32 = 2_000;
const ROUND_TRIPS: u32 = 2_000;

/// Signatures that all cores check in a second, one at a time, when they do nothing else.
pub(crate) fn signatures(threads: u16) -> f64 {
    let key = NodeKey::from_seed([7; 32]);
    let signature = key.sign(Purpose::Message, &[0; 32]);
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        let _valid = std::hint::black_box(key.public().verify(Purpose::Message, &[0; 32], &signature));
    }
    f64::from(SIGNATURES) / began.elapsed().as_secs_f64() * f64::from(threads)
}

/// Half of the median round trip of a payload by TCP on loopback.
pub(crate) fn one_way(payload: u16) -> Result<Duration> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut bytes = vec![0; payload.into()];
            for _ in 0..ROUND_TRIPS {
                stream.read_exact(&mut bytes).await?;
                stream.write_all(&bytes).await?;
            }
            std::io::Result::Ok(())
        });
        let asking = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut bytes = vec![0; payload.into()];
            let mut taken = Vec::new();
            for _ in 0..ROUND_TRIPS {
                let began = Instant::now();
                stream.write_all(&bytes).await?;
                stream.read_exact(&mut bytes).await?;
                taken.push(began.elapsed());
            }
            std::io::Result::Ok(taken)
        });
        let mut taken = asking.await??;
        echo.await??;
        taken.sort_unstable();
        let median = taken.get(taken.len() / 2).context("no round trip")?;
        Ok(*median / 2)
    })
}
