//! From flags to what the client shows to have a token.

use std::path::PathBuf;

use fhirehose_pull::auth::{Credentials, SigningKey};

use super::args::LoginArgs;
use crate::messages::Faults;

/// What was given. `types`: those asked for, as the scopes name them.
pub(super) fn given(args: &LoginArgs, types: &[String], faults: &mut Faults) -> Credentials {
    let scope = args.scope.clone().unwrap_or_else(|| scopes(types));
    if let Some(path) = &args.bearer_file {
        return Credentials::Bearer(path.clone());
    }
    if let (Some(client_id), Some(key)) = (&args.client_id, &args.key) {
        return match SigningKey::read(key, args.key_id.as_deref()) {
            Ok(key) => Credentials::Assertion {
                client_id: client_id.clone(),
                key,
                token_url: args.token_url.clone(),
                scope,
            },
            Err(fault) => {
                faults.usage(format_args!("--key: {fault}"));
                Credentials::None
            }
        };
    }
    let Some(basic) = &args.basic else {
        let given = [
            ("--token-url", args.token_url.is_some()),
            ("--scope", args.scope.is_some()),
            ("--token-origin", !args.token_origin.is_empty()),
        ];
        for (flag, _) in given.iter().filter(|(_, is_given)| *is_given) {
            faults.usage(format_args!(
                "{flag}: needs --client-id and --key, --basic or --bearer-file"
            ));
        }
        return Credentials::None;
    };
    match basic.split_once(':') {
        Some((user, file)) if !user.is_empty() && !file.is_empty() => Credentials::Basic {
            user: user.to_owned(),
            secret: PathBuf::from(file),
            token_url: args.token_url.clone(),
            scope,
        },
        _ => {
            faults.usage("--basic: expected USER:FILE; the secret itself has no place in a command line");
            Credentials::None
        }
    }
}

/// A read scope for each type: Oracle takes no wildcards.
fn scopes(types: &[String]) -> String {
    let names = types.iter().flat_map(|text| text.split(',')).map(str::trim);
    let mut all: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(|name| format!("system/{name}.read"))
        .collect();
    all.dedup();
    if all.is_empty() {
        all.push("system/*.read".to_owned());
    }
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::scopes;

    #[test]
    fn scopes_name_the_types() {
        assert_eq!(scopes(&[]), "system/*.read");
        let types = ["Patient, Observation".to_owned(), "Condition".to_owned()];
        assert_eq!(
            scopes(&types),
            "system/Patient.read system/Observation.read system/Condition.read"
        );
    }
}
