use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that SIGTERM or SIGINT cancels; a second signal ends the process at once.
///
/// Contract: called within a tokio runtime.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let fired = stop.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round > 0 {
                // Nothing is lost: whatever was not committed is read again.
                std::process::exit(130);
            }
            tracing::info!("stopping: finishing the batch in hand; a second signal ends at once");
            fired.cancel();
        }
    });
    Ok(stop)
}
