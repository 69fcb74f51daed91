with tickets as (
    {{ rows_of('tickets', [
        ['id', 'long'], ['url', 'string'], ['external_id', 'string'], ['type', 'string'], ['subject', 'string'],
        ['description', 'string'], ['priority', 'string'], ['status', 'string'], ['recipient', 'string'],
        ['requester_id', 'long'], ['submitter_id', 'long'], ['assignee_id', 'long'], ['organization_id', 'long'],
        ['group_id', 'long'], ['followup_ids', 'json'], ['forum_topic_id', 'long'], ['problem_id', 'long'],
        ['has_incidents', 'boolean'], ['is_public', 'boolean'], ['due_at', 'timestamp'], ['ticket_form_id', 'long'],
        ['brand_id', 'long'], ['allow_channelback', 'boolean'], ['via_channel', 'string'],
        ['via_source_rel', 'string'], ['via_from_address', 'string'], ['via_from_name', 'string'],
        ['via_to_address', 'string'], ['via_to_name', 'string'], ['created_at', 'timestamp'],
        ['updated_at', 'timestamp'],
    ], deleted=true, custom=true) }}
)
select
    {{ fivetran_columns_of('ticket', same=[
        'id', 'url', 'external_id', 'type', 'subject', 'description', 'priority', 'status', 'recipient',
        'requester_id', 'submitter_id', 'assignee_id', 'organization_id', 'group_id', 'followup_ids', 'forum_topic_id',
        'problem_id', 'has_incidents', 'is_public', 'due_at', 'ticket_form_id', 'brand_id', 'allow_channelback',
        'via_channel', 'via_source_rel', 'created_at', 'updated_at',
    ], made={
        'via_source_from_address': name('via_from_address'), 'via_source_from_title': name('via_from_name'),
        'via_source_to_address': name('via_to_address'), 'via_source_to_name': name('via_to_name'),
    }) }}
    {{ custom_columns('tickets') }}
from tickets
