//! Who waits for whom: circles, and the layers in which a run starts.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;

use crate::model::{ProcessId, ProcessSpec};

type Processes = IndexMap<ProcessId, Arc<ProcessSpec>>;

/// Everybody that `process` waits for.
fn waits_for(process: &ProcessSpec) -> impl Iterator<Item = &ProcessId> {
    process.depends_on.iter().map(|d| &d.on)
}

/// The edges of the graph, by place in the file.
fn edges(processes: &Processes) -> Vec<Vec<usize>> {
    let places: HashMap<&ProcessId, usize> = processes.keys().enumerate().map(|(i, id)| (id, i)).collect();
    processes
        .values()
        .map(|p| {
            let mut next: Vec<usize> = waits_for(p).filter_map(|id| places.get(id).copied()).collect();
            next.sort_unstable();
            next
        })
        .collect()
}

/// Circles in which processes wait for each other, each from its first process in the file on; every process is in one at most.
pub(super) fn circles(processes: &Processes) -> Vec<Vec<ProcessId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let edges = edges(processes);
    let mut marks = vec![Mark::New; edges.len()];
    let mut found: Vec<Vec<usize>> = Vec::new();
    for start in 0..edges.len() {
        // A path kept by hand: a chain of many thousand processes must not exhaust the stack.
        let mut path: Vec<(usize, usize)> = if marks[start] == Mark::New { vec![(start, 0)] } else { continue };
        marks[start] = Mark::OnPath;
        while let Some((at, next)) = path.last_mut() {
            let Some(&to) = edges[*at].get(*next) else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::OnPath;
                    path.push((to, 0));
                }
                Mark::OnPath => {
                    let from = path.iter().position(|(at, _)| *at == to).unwrap_or(0);
                    let circle: Vec<usize> = path[from..].iter().map(|(at, _)| *at).collect();
                    if !found.iter().flatten().any(|at| circle.contains(at)) {
                        found.push(circle);
                    }
                }
                Mark::Done => {}
            }
        }
    }
    let name = |at: usize| processes.get_index(at).map(|(id, _)| id.clone());
    found
        .into_iter()
        .map(|mut circle| {
            let first = circle.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(i, _)| i);
            circle.rotate_left(first);
            circle.into_iter().filter_map(name).collect()
        })
        .collect()
}

/// The processes in the order they can start: each layer waits only for earlier ones. File order within a layer.
pub(super) fn layers(processes: &Processes) -> Vec<Vec<ProcessId>> {
    let edges = edges(processes);
    let mut layer: Vec<Option<usize>> = vec![None; edges.len()];
    let mut all: Vec<Vec<ProcessId>> = Vec::new();
    while layer.iter().any(Option::is_none) {
        let depth = all.len();
        let free: Vec<usize> = (0..edges.len())
            .filter(|&at| layer[at].is_none() && edges[at].iter().all(|&on| layer[on].is_some_and(|l| l < depth)))
            .collect();
        if free.is_empty() {
            break;
        }
        for &at in &free {
            layer[at] = Some(depth);
        }
        all.push(free.into_iter().filter_map(|at| processes.get_index(at).map(|(id, _)| id.clone())).collect());
    }
    all
}

/// The processes named and everybody they need, in file order.
pub(super) fn closure(processes: &Processes, named: &BTreeSet<ProcessId>) -> BTreeSet<ProcessId> {
    let mut all = named.clone();
    let mut queue: Vec<ProcessId> = named.iter().cloned().collect();
    while let Some(id) = queue.pop() {
        for on in processes.get(&id).into_iter().flat_map(|p| waits_for(p).cloned()) {
            if all.insert(on.clone()) {
                queue.push(on);
            }
        }
    }
    all
}
