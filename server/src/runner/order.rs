//! From what the store remembers of a kick-off to a job of the engine: whose records, by which plan, into which files.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use fhirehose_core::ids::IdSet;
use fhirehose_core::membership::Membership;
use fhirehose_core::outcome;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::profile::check;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::kind::date;
use fhirehose_native::job::{FolderOutput, Job, ManifestOptions, Organize, Output, Told};
use fhirehose_store::Claimed;

use super::Setting;
use super::data::Snapshot;
use super::failure::Failure;
use crate::job::order::Order;
use crate::kickoff::{self, Door, Kickoff};
use crate::offer::instant;
use crate::profile::ServerProfile;

/// What a thread reads at once.
const CHUNK: usize = 256 << 10;

/// Most patients that a failure names.
const MOST_NAMED: usize = 100;

/// A job for the engine.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None`: nothing of what was asked for may be had.
    pub(super) job: Option<Job>,
    pub(super) told: Told,
    pub(super) kickoff: Kickoff,
}

/// Whose records, and who was asked for and is not among them.
#[derive(Default)]
struct Whose {
    cohort: Option<Cohort>,
    outcomes: Vec<String>,
}

/// Reads what was claimed. `folder`: where the attempt's files go.
pub(super) fn prepare(
    claimed: &Claimed,
    setting: &Setting,
    snapshot: &dyn Snapshot,
    folder: PathBuf,
) -> Result<Prepared, Failure> {
    let order: Order = serde_json::from_str(&claimed.kick_off)
        .map_err(|_| Failure::internal("it cannot read this job, which another version has taken"))?;
    let profile = setting.offer.profile_of(&claimed.job.profile);
    let time = instant(claimed.job.transaction_time);
    let whose = whose(&order.kickoff, &time, setting.offer.base(), snapshot, profile)?;
    let rules = kickoff::Setting {
        profile,
        ..setting.offer.setting(&time)
    };
    let job = match order.request(whose.cohort, &rules) {
        None => None,
        Some(request) => {
            let request = Request {
                // Nothing that was changed later, or the next export would not begin where this one ends (SPEC 2.4).
                transaction_time: Some(time.clone()),
                ..request
            };
            Some(compile(request, &order.kickoff, setting, snapshot, folder, profile)?)
        }
    };
    Ok(Prepared {
        job,
        told: Told {
            outcomes: whose.outcomes,
            hides_folders: true,
            listener: None,
        },
        kickoff: order.kickoff,
    })
}

fn whose(
    kickoff: &Kickoff,
    time: &str,
    base: &str,
    snapshot: &dyn Snapshot,
    profile: &'static ServerProfile,
) -> Result<Whose, Failure> {
    let group = match &kickoff.door {
        Door::System => return Ok(Whose::default()),
        Door::Patient => None,
        Door::Group(id) => Some(members(id, time, base, snapshot, profile)?),
    };
    let Some(listed) = &kickoff.patients else {
        let patients = group.unwrap_or_else(|| snapshot.patients());
        return Ok(Whose {
            cohort: Some(cohort(kickoff, patients)),
            outcomes: Vec::new(),
        });
    };
    let unknown = snapshot.unknown_patients(listed);
    let is_stranger = |id: &&String| group.as_ref().is_some_and(|group| !group.contains(id.as_bytes()));
    let strangers: Vec<&String> = listed.iter().filter(is_stranger).collect();
    if !kickoff.forgives_unknown_patients && (!unknown.is_empty() || !strangers.is_empty()) {
        return Err(not_there(&unknown, &strangers, profile));
    }
    let missing: HashSet<&str> = unknown
        .iter()
        .chain(strangers.iter().copied())
        .map(String::as_str)
        .collect();
    let mut patients = IdSet::default();
    let there = listed.iter().filter(|id| !missing.contains(id.as_str()));
    patients.extend(there.map(|id| id.as_bytes()));
    let strangers = strangers.iter().map(|id| outcome::no_member(id));
    Ok(Whose {
        cohort: Some(cohort(kickoff, Arc::new(patients))),
        // In the order of an export that finds its cohort by itself.
        outcomes: unknown
            .iter()
            .map(|id| outcome::unknown_patient(id))
            .chain(strangers)
            .collect(),
    })
}

fn cohort(kickoff: &Kickoff, patients: Arc<IdSet>) -> Cohort {
    Cohort {
        patients,
        exclusive: false,
        group: kickoff.group().map(str::to_owned),
    }
}

fn members(
    id: &str,
    time: &str,
    base: &str,
    snapshot: &dyn Snapshot,
    profile: &'static ServerProfile,
) -> Result<Arc<IdSet>, Failure> {
    let at = date::read_instant(time).unwrap_or_default();
    let resolved = snapshot.resolve(id, at, Some(base));
    let resolved = resolved.map_err(|error| Failure::new(404, "not-found", error.to_string()))?;
    // Since the kick-off it may have grown.
    if let Some(violation) = check::group_size(profile.rules, id, resolved.patients.len()) {
        return Err(Failure::new(
            violation.status,
            violation.code,
            violation.problem.to_string(),
        ));
    }
    Ok(Arc::new(resolved.patients))
}

fn not_there(unknown: &[String], strangers: &[&String], profile: &'static ServerProfile) -> Failure {
    let mut parts = Vec::new();
    let strangers: Vec<String> = strangers.iter().map(|&id| id.clone()).collect();
    for (ids, what) in [
        (unknown, "there is no such Patient in the data"),
        (&strangers[..], "no members of the group"),
    ] {
        if !ids.is_empty() {
            let more = ids.len().saturating_sub(MOST_NAMED);
            let mut part = format!("{what}: {}", ids[..ids.len() - more].join(", "));
            if more > 0 {
                part.push_str(&format!(" and {more} more"));
            }
            parts.push(part);
        }
    }
    Failure::answered(profile.unknown_patient, parts.join("; "))
}

fn compile(
    request: Request,
    kickoff: &Kickoff,
    setting: &Setting,
    snapshot: &dyn Snapshot,
    folder: PathBuf,
    profile: &'static ServerProfile,
) -> Result<Job, Failure> {
    // It was compiled when it was taken; only another version of the server can think otherwise.
    let refused =
        |problems: fhirehose_core::problem::Problems| Failure::new(500, "not-supported", problems.to_string());
    let plan = Plan::compile(&request, &setting.offer.registry).map_err(refused)?;
    let organize = if plan.is_organized() {
        Some(Organize {
            memory: setting.sort_memory,
            membership: Membership::new(&request, plan.registry()).map_err(refused)?,
        })
    } else {
        None
    };
    let time = request.transaction_time.clone().unwrap_or_default();
    Ok(Job {
        request,
        plan,
        cohort: None,
        inputs: snapshot.inputs(),
        output: Output::Folder(FolderOutput {
            path: folder,
            force: false,
            is_durable: true,
            manifest: ManifestOptions {
                generation: kickoff.guide.manifest(),
                transaction_time: time,
                request: kickoff.url.clone(),
                base_url: None,
            },
            organize,
        }),
        limits: limits(kickoff, profile, setting.limits),
        compression: setting.compression,
        threads: setting.threads.max(1),
        chunk: CHUNK,
    })
}

/// A hint may be missed: files of less than this are nobody's wish.
const LEAST_FILE: u64 = 32 << 10;

/// When a file is full. Bytes are counted before compression, and what cannot be compressed grows by less than a part in
/// five hundred: so no file is larger than it may be as it is stored either. One line alone is not cut.
fn limits(kickoff: &Kickoff, profile: &ServerProfile, own: Limits) -> Limits {
    let of_profile = profile.most_file_bytes.map(|most| most - most / 500);
    let bounds = [
        own.max_bytes,
        of_profile,
        kickoff.maximum_file_size.map(|most| most.max(LEAST_FILE)),
    ];
    Limits {
        max_bytes: bounds.into_iter().flatten().min(),
        ..own
    }
}
