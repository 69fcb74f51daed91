-- The policies as they are now: what they were before the first load is not known to the API.
with policies as (
    {{ rows_of('sla_policies', [['id', 'long'], ['policy_metrics', 'json'], ['updated_at', 'timestamp']]) }}
)
select
    {{ fivetran_columns_of('sla_policy_metric_history', made={
        'sla_policy_id': 'policies.' ~ name('id'), 'sla_policy_updated_at': 'policies.' ~ name('updated_at'),
        'index': each_place(), 'business_hours': each_text('business_hours'), 'metric': each_text('metric'),
        'priority': each_text('priority'), 'target': each_text('target'),
    }) }}
from policies
{{ each_of('policies.' ~ name('policy_metrics')) }}
