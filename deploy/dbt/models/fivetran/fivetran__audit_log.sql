with audit_logs as (
    {{ rows_of('audit_logs', [
        ['id', 'long'], ['action', 'string'], ['actor_id', 'long'], ['change_description', 'string'],
        ['created_at', 'timestamp'], ['source_id', 'long'], ['source_label', 'string'], ['source_type', 'string'],
    ]) }}
)
select
    {{ fivetran_columns_of('audit_log', same=[
        'id', 'action', 'actor_id', 'change_description', 'created_at', 'source_id', 'source_label', 'source_type',
    ]) }}
from audit_logs
