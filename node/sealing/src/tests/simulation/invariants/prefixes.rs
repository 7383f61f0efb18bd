//! What one volume holds of a register is the beginning of what any other holds: headers and bodies, to the byte.

use crate::tests::simulation::Broken;
use peerwright_ledger::Docket;

pub(in crate::tests::simulation) fn check(histories: &[(String, Vec<Docket>)]) -> Result<(), Broken> {
    let Some((longest_name, longest)) = histories.iter().max_by_key(|(_, dockets)| dockets.len()) else {
        return Ok(());
    };
    for (name, dockets) in histories {
        let differs = dockets.iter().zip(longest).find(|(docket, there)| {
            docket.header.encode() != there.header.encode() || docket.body.encoded() != there.body.encoded()
        });
        if let Some((docket, _)) = differs {
            let what = format!("docket {} is another at {name} than at {longest_name}", docket.header.number);
            return Err(Broken::new("prefixes", what));
        }
    }
    Ok(())
}
