//! Futures side by side.

use tokio::task::JoinSet;

/// Runs futures side by side, and gives their results in the order in which the futures came. A single one needs no task.
pub async fn in_parallel<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    // In boxes, so that a future of some kilobytes is moved once and not with each layer around it.
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    if futures.len() == 1
        && let Some(only) = futures.pop()
    {
        return vec![only.await];
    }
    let mut tasks = JoinSet::new();
    for (index, future) in futures.into_iter().enumerate() {
        tasks.spawn(async move { (index, future.await) });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn results_come_in_the_order_of_their_futures_and_not_of_their_ends() {
        let futures = [30_u64, 10, 20].map(|millis| async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            millis
        });
        assert_eq!(in_parallel(futures.into_iter()).await, [30, 10, 20]);
    }
}
