//! Morsels of Parquet files that say which file they could not read.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::{ObjectMeta, ObjectStore};
use url::Url;

use super::location::readable;
use super::naming::{concerns_content, damaged, own_error, with_file};
use super::parquet_diagnosis::find_damage;

const FORMAT: &str = "PARQUET";

/// Where a morsel comes from, and what is needed to look into the file once more.
#[derive(Clone)]
struct Origin {
    store: Arc<dyn ObjectStore>,
    url: Url,
    meta: Arc<ObjectMeta>,
    name: Arc<str>,
}

impl Origin {
    fn name(&self, error: DataFusionError) -> DataFusionError {
        with_file(error, &self.name, FORMAT)
    }

    /// Names the file and the row group, for which the file is read again.
    async fn diagnose(&self, error: DataFusionError) -> DataFusionError {
        if own_error(&error).is_some() || !concerns_content(&error) {
            return self.name(error);
        }
        let detail = find_damage(&self.store, &self.url, &self.meta).await;
        damaged(&self.name, FORMAT, &detail, error).into()
    }
}

/// Names the file in every error of an inner morselizer.
pub(super) struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
    store: Arc<dyn ObjectStore>,
    url: Url,
}

impl NamedMorselizer {
    pub(super) fn new(inner: Box<dyn Morselizer>, store: Arc<dyn ObjectStore>, url: Url) -> Self {
        Self { inner, store, url }
    }
}

impl fmt::Debug for NamedMorselizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let origin = Origin {
            store: Arc::clone(&self.store),
            url: self.url.clone(),
            name: readable(&self.url, &file.object_meta.location).into(),
            meta: Arc::new(file.object_meta.clone()),
        };
        let inner = self
            .inner
            .plan_file(file)
            .map_err(|error| origin.name(error))?;
        Ok(Box::new(NamedPlanner { inner, origin }))
    }
}

struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    origin: Origin,
}

impl fmt::Debug for NamedPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, origin } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| origin.name(error))? else {
            return Ok(None);
        };
        let morsels = plan.take_morsels().into_iter().map(|inner| {
            Box::new(NamedMorsel {
                inner,
                origin: origin.clone(),
            }) as Box<dyn Morsel>
        });
        let planners = plan.take_ready_planners().into_iter().map(|inner| {
            Box::new(NamedPlanner {
                inner,
                origin: origin.clone(),
            }) as Box<dyn MorselPlanner>
        });
        let mut named = MorselPlan::new()
            .with_morsels(morsels.collect())
            .with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            named.set_pending_planner(async move {
                let inner = pending.await.map_err(|error| origin.name(error))?;
                Ok(Box::new(NamedPlanner { inner, origin }) as Box<dyn MorselPlanner>)
            });
        }
        Ok(Some(named))
    }
}

struct NamedMorsel {
    inner: Box<dyn Morsel>,
    origin: Origin,
}

impl fmt::Debug for NamedMorsel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let origin = self.origin;
        self.inner
            .into_stream()
            .then(move |batch| match batch {
                Ok(batch) => std::future::ready(Ok(batch)).left_future(),
                Err(error) => {
                    let origin = origin.clone();
                    async move { Err(origin.diagnose(error).await) }
                        .boxed()
                        .right_future()
                }
            })
            .boxed()
    }
}
