//! DoPut: updates, and parameters for prepared statements.

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use futures::stream::{self, StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Status, Streaming};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::backend::{Execution, StatementInput};
use super::client::ClientGuard;
use super::door::Shared;
use super::statement::{command_of, no_transaction, unknown_command};
use super::status::{malformed, query_status, status, unsupported};

impl Shared {
    /// Serves one DoPut: the command is in the first message, the rows are in all of them.
    pub(super) async fn put(
        &self,
        client: &ClientGuard,
        mut messages: Streaming<FlightData>,
    ) -> Result<PutResult, Status> {
        let mut first = messages
            .message()
            .await?
            .ok_or_else(|| malformed("the stream ended before a command came"))?;
        let descriptor = first
            .flight_descriptor
            .take()
            .ok_or_else(|| malformed("the first message carries no command"))?;
        match command_of(&descriptor)? {
            Command::CommandStatementUpdate(command) => {
                no_transaction(command.transaction_id.as_ref())?;
                self.update(client, StatementInput::Sql(command.query)).await
            }
            Command::CommandPreparedStatementUpdate(command) => {
                let statement = client
                    .prepared(&command.prepared_statement_handle)
                    .map_err(|error| status(&error))?;
                let rows = self.rows(first, messages).await?;
                let input = if rows.is_empty() { statement.bound() } else { statement.with(rows) };
                self.update(client, input).await
            }
            Command::CommandPreparedStatementQuery(command) => {
                let handle = command.prepared_statement_handle;
                let statement = client.prepared(&handle).map_err(|error| status(&error))?;
                statement.bind(self.rows(first, messages).await?);
                Ok(answer(&DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) }))
            }
            Command::CommandStatementIngest(_) => Err(unsupported(
                "bulk ingestion is not served: use INSERT with parameters",
            )),
            other => Err(unknown_command(&other)),
        }
    }

    async fn update(
        &self,
        client: &ClientGuard,
        input: StatementInput,
    ) -> Result<PutResult, Status> {
        match self.run(client, input).await? {
            Execution::Update { rows, .. } => Ok(answer(&DoPutUpdateResult { record_count: rows })),
            Execution::Rows { query_id, .. } => Err(query_status(
                &Error::invalid("the statement returns rows: run it as a query, not as an update"),
                query_id,
            )),
        }
    }

    /// All rows of a stream. No batch at all means that the stream has no columns: nothing bound.
    async fn rows(
        &self,
        first: FlightData,
        messages: Streaming<FlightData>,
    ) -> Result<Vec<RecordBatch>, Status> {
        let bytes_max = self.config.parameter_bytes_max;
        let messages = stream::iter([Ok(first)])
            .chain(messages.map_err(|status| FlightError::Tonic(Box::new(status))))
            // A client without parameters may send its command and nothing else.
            .try_filter(|data| std::future::ready(!data.data_header.is_empty()));
        let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
            if batch.num_columns() == 0 {
                continue;
            }
            bytes += batch.get_array_memory_size();
            if bytes > bytes_max {
                return Err(status(&Error::new(
                    ErrorKind::ResourceExhausted,
                    format!("the parameters of one statement are limited to {bytes_max} bytes"),
                )));
            }
            rows.push(batch);
        }
        if rows.is_empty()
            && let Some(schema) = batches.schema()
            && !schema.fields().is_empty()
        {
            rows.push(RecordBatch::new_empty(std::sync::Arc::clone(schema)));
        }
        Ok(rows)
    }
}

fn answer(message: &impl Message) -> PutResult {
    PutResult { app_metadata: message.encode_to_vec().into() }
}

fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => malformed(format!("the rows sent cannot be read: {other}")),
    }
}
