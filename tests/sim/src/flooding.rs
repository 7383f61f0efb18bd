//! How fast flooding would be on the overlay that there is: each message takes every link, so it arrives by the shortest
//! path (Dijkstra 1959).

use crate::{event::HostId, figures::Latencies, simulation::Simulation};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// The latencies of a message of every origin to every other node.
pub(crate) fn latencies(simulation: &Simulation) -> Latencies {
    let neighbours: Vec<Vec<(HostId, u64)>> =
        simulation.network.hosts().map(|host| host.active_neighbours(&simulation.network.world)).collect();
    let mut latencies = Latencies::default();
    for origin in simulation.origins() {
        for (node, micros) in shortest(&neighbours, origin).into_iter().enumerate() {
            if node != origin as usize && micros != u64::MAX {
                latencies.note(Duration::from_micros(micros));
            }
        }
    }
    latencies
}

/// The length of the shortest path to every node.
fn shortest(neighbours: &[Vec<(HostId, u64)>], from: HostId) -> Vec<u64> {
    let mut lengths = vec![u64::MAX; neighbours.len()];
    let mut heap = BinaryHeap::from([Reverse((0, from))]);
    lengths[from as usize] = 0;
    while let Some(Reverse((length, node))) = heap.pop() {
        if length > lengths[node as usize] {
            continue;
        }
        for (next, step) in &neighbours[node as usize] {
            let there = length + step;
            if there < lengths[*next as usize] {
                lengths[*next as usize] = there;
                heap.push(Reverse((there, *next)));
            }
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn the_shortest_path_counts_and_not_the_fewest_links() {
        let neighbours =
            vec![vec![(1, 10), (2, 50)], vec![(0, 10), (2, 10)], vec![(0, 50), (1, 10), (3, 5)], vec![(2, 5)], vec![]];
        assert_eq!(shortest(&neighbours, 0), [0, 10, 20, 25, u64::MAX]);
    }
}
