from hippo_agent import Memory

with Memory("agent-memory") as memory:  # one folder; made when it is not there
    memory.write("Ada moved to Lisbon on 3 May.", source="user", speaker="Bo", session="monday")
    memory.write("Ada's spare key is with the florist on the corner.", source="user", speaker="Bo", session="monday")
    memory.write("The boiler was serviced by Ilka, who charged 80 euros.", source="user", session="tuesday")

with Memory("agent-memory") as memory:  # another day, another process: it is on disk
    recall = memory.recall("who has Ada's spare key?", k=2)
    print(recall.render())  # text for the prompt of any chat model
    print(recall.explain())  # why each trace came back

    best = recall.traces[0]
    print(best.text, best.event_time, best.provenance.session, best.provenance.trust)

    memory.forget(trace_id=best.id, reason="Ada asked")  # gone from the record and from every index
    print("florist" in memory.recall("who has Ada's spare key?").render())
