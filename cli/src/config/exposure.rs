//! What a process must have before other machines can reach it.

use std::net::IpAddr;

use waterbuck_engine::{Error, Result};

use super::settings::{Config, Role};

/// Refuses a configuration that would open a port to other machines in plain text, or a cluster to
/// anybody.
///
/// # Errors
/// With what is missing and the name by which it may be asked for.
pub(super) fn check(role: Role, config: &Config) -> Result<()> {
    let listens = matches!(role, Role::Server | Role::Coordinator | Role::Executor);
    if !listens || is_loopback(&config.host) {
        return Ok(());
    }
    let host = &config.host;
    if config.tls.shown().is_none() && !config.insecure_plaintext {
        return Err(Error::invalid(format!(
            "other machines can reach \"{host}\" and there is no certificate: give --tls-cert and \
             --tls-key, or ask for plain text with --insecure-plaintext"
        )));
    }
    // An all-in-one server needs no others: without a secret it takes none in.
    if role != Role::Server && !has_secret(config) {
        return Err(Error::invalid(format!(
            "other machines can reach \"{host}\" and the cluster has no secret: give \
             --cluster-token, or --cluster-ca, --cluster-cert and --cluster-key"
        )));
    }
    Ok(())
}

/// Whether the processes of the cluster have something to know each other by.
pub(super) fn has_secret(config: &Config) -> bool {
    config.cluster_token.is_some() || config.tls.is_mutual()
}

/// Whether only this machine reaches `host`. A name other than that of the machine itself may be
/// anything, and does not count.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use waterbuck_engine::Result;
    use waterbuck_engine::cluster_access::ClusterAccess;

    use crate::args::ServeArgs;
    use crate::config::{Config, Role, load};

    fn configured(role: Role, change: impl FnOnce(&mut ServeArgs)) -> Result<Config> {
        let mut flags = ServeArgs::default();
        change(&mut flags);
        load(role, &flags)
    }

    fn access(role: Role, change: impl FnOnce(&mut ServeArgs)) -> ClusterAccess {
        configured(role, change).unwrap().cluster_access()
    }

    fn exposed(flags: &mut ServeArgs) {
        flags.host = Some("0.0.0.0".to_owned());
    }

    fn in_plain_text(flags: &mut ServeArgs) {
        exposed(flags);
        flags.tls.insecure_plaintext = true;
    }

    fn in_tls(flags: &mut ServeArgs) {
        exposed(flags);
        flags.tls.tls_cert = Some("cert.pem".into());
        flags.tls.tls_key = Some("key.pem".into());
    }

    #[test]
    fn plain_text_stays_on_the_machine_unless_it_is_asked_for() {
        for role in [Role::Server, Role::Coordinator, Role::Executor] {
            assert!(configured(role, |_| {}).is_ok());
            let error = configured(role, exposed).unwrap_err().to_string();
            assert!(error.contains("--insecure-plaintext"), "{error}");
        }
        assert!(configured(Role::Server, in_plain_text).is_ok());
        assert!(configured(Role::Server, in_tls).is_ok());
        assert!(configured(Role::Shell, exposed).is_ok());
    }

    #[test]
    fn a_cluster_that_can_be_reached_has_a_secret() {
        for role in [Role::Coordinator, Role::Executor] {
            let error = configured(role, in_tls).unwrap_err().to_string();
            assert!(error.contains("--cluster-token"), "{error}");
            let secret = |flags: &mut ServeArgs| {
                in_tls(flags);
                flags.cluster_token = Some("secret".to_owned());
            };
            assert!(configured(role, secret).is_ok());
        }
    }

    #[test]
    fn a_server_that_can_be_reached_takes_in_no_executor_without_a_secret() {
        assert!(access(Role::Server, in_tls).check(None, false).is_err());
        assert!(access(Role::Server, |_| {}).check(None, false).is_ok());
    }
}
