//! From flags to a pull, or everything that is wrong with them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fhirehose_core::client::{Enforce, Level, Method, Order, Settings, Spelling, asks_for_elements, received};
use fhirehose_core::ids::IdSet;
use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_core::request::{Cohort, OnBad, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_pull::{Again, Begin, HttpOptions, Keep, Pull};

use super::args::{AskedArgs, EnforceArg, FetchArgs, MethodArg, PullArgs};
use super::credentials;
use crate::args::{CohortArgs, IgArg, OnBadArg};
use crate::cohort;
use crate::length::duration;
use crate::messages::Faults;
use crate::request;
use crate::threads;

/// What a pull is resolved for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new one.
    Begin {
        /// What is remembered of it.
        saved: String,
        /// The folder.
        out: PathBuf,
    },
    /// One that was begun.
    GoOn {
        /// The folder.
        out: PathBuf,
        /// The patients that were asked for; whoever changes the list meanwhile changes nothing.
        patients: Option<Vec<String>>,
    },
}

/// The pull; `None`: there are faults.
pub(super) fn resolve(args: &PullArgs, purpose: Purpose, faults: &mut Faults) -> Option<Pull> {
    let asked = &args.request;
    let base = base(args, faults);
    let patients = match &purpose {
        Purpose::GoOn {
            patients: Some(ids), ..
        } => Some(Arc::new(set(ids))),
        _ => patients(asked, &base, faults),
    };
    let (keep, asks_for_elements) = keep(args, &base, patients.as_ref(), faults).unzip();
    let asks_for_elements = asks_for_elements.unwrap_or_default();
    let credentials = credentials::given(&args.login, &asked.types, faults);
    let settings = settings(args, faults);
    let http = http(args, faults);
    let (out, saved, begin) = match purpose {
        Purpose::GoOn { out, .. } => (out, String::new(), Begin::Resume { base }),
        Purpose::Begin { saved, out } => {
            let begin = match &args.job {
                Some(status_url) => Begin::Job {
                    status_url: status_url.clone(),
                    base,
                },
                None => Begin::Order(Box::new(order(
                    args,
                    base,
                    patients.as_ref(),
                    asks_for_elements,
                    faults,
                ))),
            };
            (out, saved, begin)
        }
    };
    if !faults.is_empty() {
        return None;
    }
    Some(Pull {
        begin,
        out,
        saved,
        credentials,
        settings: settings?,
        http: http?,
        keep: keep?,
    })
}

/// The FHIR base. A job that was begun elsewhere needs none but for tokens and references.
fn base(args: &PullArgs, faults: &mut Faults) -> String {
    let given = args.url.as_ref().or(args.job.as_ref());
    let Some(url) = given else {
        faults.usage("the URL of the server is missing");
        return String::new();
    };
    let looks_at_references =
        !args.request.type_filters.is_empty() || !args.request.patient.is_empty() || args.request.patients.is_some();
    if args.url.is_none() && args.request.fhir_base.is_none() && looks_at_references {
        faults.usage("--job: absolute references can only be told with the server's URL, or --fhir-base");
    }
    if url.contains('@') && url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
        faults.usage("the URL holds a name or a secret; --basic takes them from a file");
    }
    url.trim_end_matches('/').to_owned()
}

fn patients(asked: &AskedArgs, base: &str, faults: &mut Faults) -> Option<Arc<IdSet>> {
    if asked.patient.is_empty() && asked.patients.is_none() {
        return None;
    }
    let args = CohortArgs {
        patient: asked.patient.clone(),
        patients: asked.patients.clone(),
        group: asked.group.clone(),
        exclusive: false,
        lenient: false,
    };
    Some(Arc::new(cohort::patients(&args, Some(base), false, faults)))
}

fn set(ids: &[String]) -> IdSet {
    let mut set = IdSet::default();
    ids.iter().for_each(|id| {
        set.insert(id.as_bytes());
    });
    set
}

/// What was asked for, as the engine holds it against what comes. What divides the output anew needs the whole resources.
fn request(
    args: &PullArgs,
    base: &str,
    patients: Option<&Arc<IdSet>>,
    faults: &mut Faults,
) -> Option<(Request, Registry)> {
    let asked = &args.request;
    let registry = request::registry(&asked.registry, faults);
    let value_sets = request::value_sets(&asked.value_sets, faults);
    let cohort = patients.map(|patients| Cohort {
        patients: patients.clone(),
        exclusive: false,
        group: asked.group.clone(),
    });
    let request = Request {
        types: asked.types.clone(),
        type_filters: asked.type_filters.clone(),
        since: asked.since.clone(),
        until: asked.until.clone(),
        now: Some(request::now()),
        elements: asked.elements.clone(),
        organize_by: asked.organize_by.clone(),
        fhir_base: Some(asked.fhir_base.clone().unwrap_or_else(|| base.to_owned())),
        value_sets: value_sets?,
        cohort,
        associated_data: asked.include_associated_data.clone(),
        max_line: args.fetch.max_line,
        on_bad: match asked.on_bad {
            OnBadArg::Skip => OnBad::Skip,
            OnBadArg::Stop => OnBad::Stop,
        },
        ..Request::default()
    };
    Some((request, registry?))
}

/// What is kept of what comes, and whether the server is asked for `_elements`.
fn keep(args: &PullArgs, base: &str, patients: Option<&Arc<IdSet>>, faults: &mut Faults) -> Option<(Keep, bool)> {
    let compression = args.files.compression(faults);
    let (whole, registry) = request(args, base, patients, faults)?;
    let enforce = match args.request.enforce {
        EnforceArg::Never => Enforce::Never,
        EnforceArg::Always => Enforce::Always,
        EnforceArg::Auto => Enforce::Auto,
    };
    let plan = received(&whole, &registry, enforce).map_err(|problems| faults.problems(None, problems));
    let plan = plan.ok()?;
    let asks_for_elements = asks_for_elements(&whole, plan.is_some());
    let limits = args.files.limits();
    let divides = limits != Limits::default() || whole.organize_by.is_some();
    let again = if divides {
        again(args, whole, registry, limits, faults)
    } else {
        None
    };
    let keep = Keep {
        plan,
        compression,
        checksums: !args.fetch.no_checksums,
        generation: match args.files.ig {
            IgArg::Two | IgArg::Three => Generation::V2V3,
            IgArg::Four => Generation::V4,
        },
        base_url: args.files.base_url.clone(),
        again,
    };
    Some((keep, asks_for_elements))
}

/// The pass that divides the output anew: over what was kept, so nothing is left out any more.
fn again(args: &PullArgs, whole: Request, registry: Registry, limits: Limits, faults: &mut Faults) -> Option<Again> {
    let fetch = &args.fetch;
    let threads = threads::decide(fetch.threads, fetch.memory, fetch.max_line).map_err(|text| faults.usage(text));
    let threads = threads.ok()?;
    let organizes = whole.organize_by.is_some();
    let request = Request {
        elements: if organizes { whole.elements } else { Vec::new() },
        organize_by: whole.organize_by,
        fhir_base: whole.fhir_base,
        max_line: whole.max_line,
        on_bad: whole.on_bad,
        ..Request::default()
    };
    Some(Again {
        request,
        registry,
        limits,
        organize: organizes.then(|| threads::left_to_sort(fetch.memory, threads, fetch.max_line)),
        threads,
    })
}

fn order(
    args: &PullArgs,
    base: String,
    patients: Option<&Arc<IdSet>>,
    asks_for_elements: bool,
    faults: &mut Faults,
) -> Order {
    let asked = &args.request;
    let is_v4 = matches!(args.files.ig, IgArg::Four);
    let method = match asked.method {
        Some(MethodArg::Get) => Method::Get,
        Some(MethodArg::Post) => Method::Post,
        None if is_v4 || patients.is_some() => Method::Post,
        None => Method::Get,
    };
    let level = match &asked.group {
        Some(group) => Level::Group(group.clone()),
        None if asked.system => Level::System,
        None => Level::Patient,
    };
    let ids = patients.iter().flat_map(|patients| patients.iter());
    Order {
        base,
        level,
        method,
        spelling: if is_v4 { Spelling::Repeated } else { Spelling::Commas },
        types: asked.types.clone(),
        since: asked.since.clone(),
        until: asked.until.clone(),
        type_filters: asked.type_filters.clone(),
        elements: if asks_for_elements {
            asked.elements.clone()
        } else {
            Vec::new()
        },
        patients: ids.map(|id| String::from_utf8_lossy(id).into_owned()).collect(),
        associated_data: asked.include_associated_data.clone(),
        organize_by: None,
        output_format: None,
        partial: asked.partial,
        lenient: asked.lenient,
        further: further(&asked.parameters, faults),
    }
}

fn further(parameters: &[String], faults: &mut Faults) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for text in parameters {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => all.push((name.to_owned(), value.to_owned())),
            _ => faults.usage(format_args!("--parameter: expected NAME=VALUE, found `{text}`")),
        }
    }
    all
}

fn settings(args: &PullArgs, faults: &mut Faults) -> Option<Settings> {
    let fetch: &FetchArgs = &args.fetch;
    let longest = duration("--longest-wait", Some(&fetch.longest_wait), faults);
    let timeout = duration("--timeout", fetch.timeout.as_deref(), faults);
    let milliseconds = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let default = Settings::default();
    let longest = milliseconds(longest?);
    if longest < 10 {
        faults.usage("--longest-wait: expected at least 10ms");
    }
    let deadline = timeout.map(|length| {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        now.saturating_add(milliseconds(length))
    });
    Some(Settings {
        has_token: false,
        token_origins: args.login.token_origin.clone(),
        token_across_redirects: args.login.token_across_redirects,
        parallel: fetch.parallel.get(),
        poll_first: default.poll_first.min(longest),
        poll_most: default.poll_most.min(longest),
        retry_after_most: longest,
        attempts: fetch.attempts.max(1),
        deadline,
        keep_job: fetch.keep_job,
        detach: fetch.detach,
        ignore_counts: fetch.ignore_counts,
    })
}

fn http(args: &PullArgs, faults: &mut Faults) -> Option<HttpOptions> {
    let stall = duration("--stall", Some(&args.fetch.stall), faults)?;
    let default = HttpOptions::default();
    Some(HttpOptions {
        authorities: args.fetch.ca.clone(),
        connect: default.connect.min(stall),
        stall,
        call: default.call.max(stall),
        insecure: args.login.insecure_http,
    })
}
