//! What one volume holds of a register is the beginning of what any other holds: headers and bodies, to the byte.

use crate::run::tests::register_simulation::Broken;
use peerwright_ledger::Docket;

/// Compares histories of one register, each with the number of its host.
pub(in crate::run::tests::register_simulation) fn check(histories: &[(usize, Vec<Docket>)]) -> Result<(), Broken> {
    let Some((longest_at, longest)) = histories.iter().max_by_key(|(_, dockets)| dockets.len()) else { return Ok(()) };
    for (host, dockets) in histories {
        let differs = dockets.iter().zip(longest).find(|(docket, there)| {
            docket.header.encode() != there.header.encode() || docket.body.encoded() != there.body.encoded()
        });
        if let Some((docket, _)) = differs {
            let what = format!("docket {} is another at host {host} than at host {longest_at}", docket.header.number);
            return Err(Broken::new("prefixes", what));
        }
    }
    Ok(())
}
